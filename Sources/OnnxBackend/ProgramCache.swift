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
