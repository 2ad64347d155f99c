import Foundation
import TensorPrograms

/// What was made of programs, for equal programs to share; the least lately used is forgotten first.
// Unchecked: every access to the entries holds the lock.
final class ProgramCache<Value: Sendable>: @unchecked Sendable {
  private let capacity: Int
  private let lock = NSLock()
  private var entries: [Key: (value: Value, lastUse: Int)] = [:]
  private var clock = 0

  init(capacity: Int) {
    precondition(capacity > 0, "a cache of \(capacity) entries")
    self.capacity = capacity
  }

  /// The value made for an equal program before, or what `make` returns now.
  func value(for program: Program, make: () throws -> Value) throws -> Value {
    let key = Key(program: program)
    if let known = lock.withLock({ touch(key) }) { return known }
    // Made outside the lock: it may take seconds, and other programs must not wait.
    let value = try make()
    lock.withLock {
      clock += 1
      entries[key] = (value, clock)
      if entries.count > capacity {
        let oldest = entries.min { $0.value.lastUse < $1.value.lastUse }!
        entries[oldest.key] = nil
      }
    }
    return value
  }

  private func touch(_ key: Key) -> Value? {
    guard let entry = entries[key] else { return nil }
    clock += 1
    entries[key] = (entry.value, clock)
    return entry.value
  }

  /// A program that hashes its structure only: large constants are compared when it matters, and
  /// arrays that share their memory compare at once.
  private struct Key: Hashable {
    let program: Program

    static func == (left: Key, right: Key) -> Bool { left.program.isIdentical(to: right.program) }

    func hash(into hasher: inout Hasher) {
      hasher.combine(program.types)
      hasher.combine(program.outputs)
      for equation in program.equations {
        hasher.combine(equation.primitive.name)
        hasher.combine(equation.operands)
      }
    }
  }
}

extension Program {
  /// Equal down to the bits of its constants: 0 and -0 make different programs, one NaN the same.
  fileprivate func isIdentical(to other: Program) -> Bool {
    types == other.types && inputs == other.inputs && outputs == other.outputs
      && equations.count == other.equations.count
      && zip(equations, other.equations).allSatisfy { left, right in
        left.operands == right.operands && left.results == right.results
          && left.primitive.isIdentical(to: right.primitive)
      }
  }
}

extension Scan {
  fileprivate func isIdentical(to other: Scan) -> Bool {
    var same = other
    same.body = body
    return self == same && body.isIdentical(to: other.body)
  }
}

extension Primitive {
  fileprivate func isIdentical(to other: Primitive) -> Bool {
    switch (self, other) {
    case (.constant(let left), .constant(let right)):
      left.type == right.type
        && left.withUnsafeBytes { a in
          right.withUnsafeBytes { b in
            a.count == 0 || a.baseAddress == b.baseAddress
              || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0
          }
        }
    case (.pad(let low, let high, let interior, let fill), .pad(let l, let h, let i, let f)):
      low == l && high == h && interior == i && fill.bitPattern == f.bitPattern
    case (.call(let left), .call(let right)): left.isIdentical(to: right)
    case (.scan(let left), .scan(let right)): left.isIdentical(to: right)
    default: self == other
    }
  }
}
