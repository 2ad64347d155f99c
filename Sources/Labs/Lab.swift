import Presentation

/// One experiment of the field, small enough to run in seconds, with its published numbers.
public struct Lab: Sendable {
  /// What the command line calls it.
  public let name: String
  /// The question it answers, in one line.
  public let summary: String
  public let run: @Sendable () -> any LabResult

  public init(name: String, summary: String, run: @escaping @Sendable () -> any LabResult) {
    self.name = name
    self.summary = summary
    self.run = run
  }

  /// The catalogue: a line here registers a lab with the command line and the documentation.
  public static let all: [Lab] = [bowls]
}

/// What a lab measured: JSON as it stands, and tables for people.
public protocol LabResult: Encodable, Sendable {
  var tables: [LabTable] { get }
}

/// A table with words around it.
public struct LabTable: Sendable, Equatable {
  public let title: String
  public let table: DataTable
  /// What to see in it.
  public let remark: String

  public init(title: String, table: DataTable, remark: String) {
    self.title = title
    self.table = table
    self.remark = remark
  }
}
