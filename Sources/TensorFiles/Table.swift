import Presentation

/// A CSV file with a header, as typed columns of equal length.
public struct Table: Sendable {
  /// Path as given, named in every error.
  public let path: String
  public let columns: [Column]
  public let rowCount: Int
  /// Line of the file on which each row begins, counted from 1; the header is line 1.
  package let lines: [Int]

  /// Reads a CSV file: a header line, then one row per sample; comma, semicolon or tab between
  /// fields, whichever the header has most of; fields may be quoted. An empty cell, `NA`, `N/A`, `?`,
  /// `-`, `null` or `nan` is a missing value; blank lines are skipped. Decimal commas and separators of
  /// thousands are understood, see `NumberSpelling`; columns without a name or with an earlier one's get
  /// another, see `TableHeader`.
  ///
  /// While the file is read there are its bytes and eight bytes per number.
  ///
  /// Throws a `TableError` where there is no such file, it is not UTF-8 text, is empty or holds a
  /// header alone, a row has too few or too many fields, or a quote is not closed. A cell that spoils a column is reported when the column is used.
  ///
  /// Reference: RFC 4180.
  public init(contentsOfCSV path: String) throws {
    if let held = HeldFile.named(path) {
      self = try held.table(path: path)
    } else {
      try self.init(TableFile(path))
    }
  }

  package init(csv text: String, path: String) throws {
    try self.init(TableFile(bytes: Array(text.utf8), path: path))
  }

  init(path: String, columns: [Column], rowCount: Int, lines: [Int]) {
    (self.path, self.columns, self.rowCount, self.lines) = (path, columns, rowCount, lines)
  }

  init(_ file: TableFile) throws {
    path = file.path
    (columns, lines) = try file.withText { try TableRows($0, path: file.path).table() }
    rowCount = lines.count
  }

  /// The column of that name, or an error that lists the names there are.
  package func column(named name: String, as role: String) throws -> Column {
    if let column = columns.first(where: { $0.name == name }) { return column }
    let names = columns.map(\.name)
    let list = names.prefix(30).joined(separator: ", ") + (names.count > 30 ? ", ..." : "")
    let meant =
      closestName(to: name, among: names).map { "did you mean `\($0)`? The" } ?? "the"
    let next: Message =
      role == "the target" && !meant.hasPrefix("did") ? "; name one with \(option: .target)." : "."
    throw TableError(
      "there is no column `\(name)` to take as \(role); \(meant) columns are: \(list)" + next,
      path: path)
  }
}

/// "1 field", "3 fields".
package func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
