import CEigenstep
import Diagnosis
import Foundation
import Presentation
import Problems
import TensorPrograms

/// What a call came to; a C caller holds it by pointer, with the strings that it was given.
final class CallResult: @unchecked Sendable {
  let status: Int32
  let error: UnsafeMutablePointer<CChar>?
  let json: UnsafeMutablePointer<CChar>?
  private let text: (TerminalStyle) -> String
  private let arrays: [String: [Double]]
  /// Names and shapes of the arrays, as JSON.
  let list: UnsafeMutablePointer<CChar>?
  private let lock = NSLock()
  private var texts: [Int: UnsafeMutablePointer<CChar>] = [:]
  private var vectors: [String: UnsafeMutableBufferPointer<Double>] = [:]

  init(_ answer: Answered) {
    status = answer.status
    error = nil
    json = Self.copy(answer.json)
    text = answer.text
    arrays = answer.arrays
    let entries = answer.arrays.keys.sorted().map { name in
      ArrayEntry(name: name, shape: answer.shapes[name] ?? [answer.arrays[name]?.count ?? 0])
    }
    list = (try? OrderedJSON.string(entries, indented: false)).map(Self.copy)
  }

  /// What work comes to, for its caller to free.
  static func of(_ work: () throws -> Answered) -> OpaquePointer {
    let result: CallResult
    do { result = CallResult(try work()) } catch { result = CallResult(failure: error) }
    return OpaquePointer(Unmanaged.passRetained(result).toOpaque())
  }

  private struct ArrayEntry: Encodable {
    let name: String
    let shape: [Int]
  }

  init(failure: any Error) {
    status = Self.status(of: failure)
    error = Self.copy(Printable.line(Self.sentence(failure)))
    json = nil
    text = { _ in "" }
    arrays = [:]
    list = nil
  }

  deinit {
    free(error)
    free(json)
    free(list)
    for text in texts.values { free(text) }
    for vector in vectors.values { vector.deallocate() }
  }

  func text(width: Int) -> UnsafePointer<CChar>? {
    guard json != nil else { return nil }
    return lock.withLock {
      if let known = texts[width] { return UnsafePointer(known) }
      let new = Self.copy(text(TerminalStyle(colours: false, width: width)))
      texts[width] = new
      return UnsafePointer(new)
    }
  }

  func array(_ name: String) -> UnsafeBufferPointer<Double>? {
    lock.withLock {
      if let known = vectors[name] { return UnsafeBufferPointer(known) }
      guard let numbers = arrays[name] else { return nil }
      let new = UnsafeMutableBufferPointer<Double>.allocate(capacity: max(1, numbers.count))
      _ = new.initialize(from: numbers)
      vectors[name] = new
      return UnsafeBufferPointer(rebasing: new[..<numbers.count])
    }
  }

  private static func copy(_ text: String) -> UnsafeMutablePointer<CChar> { strdup(text)! }

  private static func sentence(_ error: any Error) -> String {
    if error is CallbackFailure { return "A callback came back with another number than 0." }
    if error is CancellationError { return "The call was cancelled before anything was measured." }
    return (error as? any MessageError)?.message.text(.fields) ?? "\(error)"
  }

  private static func status(of error: any Error) -> Int32 {
    if error is CallbackFailure { return Int32(EIGENSTEP_CALLBACK) }
    if error is CancellationError { return Int32(EIGENSTEP_INTERRUPTED) }
    let code =
      switch DiagnosisFailure.Kind(of: error) {
      case .usage: EIGENSTEP_USAGE
      case .badData: EIGENSTEP_BAD_DATA
      case .noInput: EIGENSTEP_NO_INPUT
      case .unavailable: EIGENSTEP_UNAVAILABLE
      case .software: EIGENSTEP_SOFTWARE
      case .cannotCreate: EIGENSTEP_CANNOT_CREATE
      case .interrupted: EIGENSTEP_INTERRUPTED
      }
    return Int32(code)
  }
}

/// A report in the forms that a caller takes it in.
struct Answered {
  var status: Int32 = 0
  let json: String
  let text: (TerminalStyle) -> String
  var arrays: [String: [Double]] = [:]
  /// Of those that have more than one axis.
  var shapes: [String: [Int]] = [:]
}
