import Foundation
import Presentation
import TensorPrograms

/// Why an array file cannot be read or written: one sentence with the file, the array and what to
/// do about it.
public struct ArrayFileError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  public enum Kind: Sendable {
    case missingFile, badData, cannotWrite
  }

  public let kind: Kind
  /// The sentence shown to the user.
  public let description: String
  /// Path of the file as it was given.
  public let path: String
  /// Name of the array the sentence is about.
  public let key: String?
  /// Index of the element the sentence is about.
  public let index: [Int]?

  package init(
    _ sentence: String, path: String, key: String? = nil, index: [Int]? = nil,
    kind: Kind = .badData
  ) {
    self.kind = kind
    self.path = path
    self.key = key
    self.index = index
    var place = path
    if let key { place += ", array '\(Printable.name(key))'" }
    if let index { place += ", index \(index)" }
    description = Printable.line("\(place): \(sentence)")
  }

  public var errorDescription: String? { description }
}

/// Where an array is: the file and, in a file of several, its name.
struct ArrayPlace: Sendable {
  var path: String
  var key: String?

  func failure(_ sentence: String, index: [Int]? = nil) -> ArrayFileError {
    ArrayFileError(sentence, path: path, key: key, index: index)
  }

  /// `rows` is a range of the first axis of `type`.
  func check(_ rows: Range<Int>, of type: TensorType) throws {
    guard let count = type.shape.dimensions.first else {
      throw failure("the array is one number, so it has no rows; read it whole.")
    }
    guard rows.lowerBound >= 0, rows.upperBound <= count else {
      throw failure(
        "rows \(rows.lowerBound) to \(rows.upperBound) were asked for, but the array is \(type); ask "
          + "for rows from 0 to \(count).")
    }
  }
}

/// Why `key` is not there, with the names that are.
func missingKey(_ key: String, among keys: [String], path: String) -> ArrayFileError {
  guard !keys.isEmpty else {
    return ArrayFileError(
      "there is no array '\(Printable.name(key))', nor any other; check the file.", path: path)
  }
  let shown = keys.prefix(30)
  let list = shown.map(Printable.name).joined(separator: ", ") + (keys.count > 30 ? ", ..." : "")
  let meant = closestName(to: String(key.prefix(80)), among: shown.map(Printable.name))
  return ArrayFileError(
    "there is no array '\(Printable.name(key))'; "
      + (meant.map { "did you mean '\($0)'? The" } ?? "the") + " arrays are: \(list).", path: path)
}
