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
  public let columns: [String]
  public let rows: [[String]]
  /// What to see in it.
  public let remark: String

  /// - Precondition: every row has as many cells as there are columns.
  public init(title: String, columns: [String], rows: [[String]], remark: String) {
    precondition(rows.allSatisfy { $0.count == columns.count }, "ragged table '\(title)'")
    self.title = title
    self.columns = columns
    self.rows = rows
    self.remark = remark
  }
}
