import Foundation
import Presentation
import TensorPrograms

/// Why a table cannot be read or used: one sentence with the file, the line, the column and what
/// to do about it.
public struct TableError: MessageError, Equatable, Sendable, LocalizedError {
  public let message: Message
  /// Path of the file as it was given.
  public let path: String
  /// Line of the file, counted from 1 with the header as line 1 (a cell's row begins there).
  public let line: Int?
  /// Name of the column the sentence is about.
  public let column: String?

  package init(_ sentence: Message, path: String, line: Int? = nil, column: String? = nil) {
    self.path = path
    self.line = line
    self.column = column
    var place = path
    if let line { place += ", line \(line)" }
    if let column { place += ", column `\(column)`" }
    message = ("\(place): \(sentence)" as Message).printable
  }

  public var errorDescription: String? { description }
}
