import Foundation
import SwiftCSV

/// A CSV file with a header, as typed columns of equal length.
public struct Table: Sendable {
  /// Path as given, named in every error.
  public let path: String
  public let columns: [Column]
  public let rowCount: Int
  /// Line of the file on which each row begins, counted from 1; the header is line 1.
  package let lines: [Int]

  /// Reads a CSV file: a header line, then one row per sample; comma, semicolon or tab between
  /// fields, whichever the header has most of; fields may be quoted. An empty cell, `NA`, `?` or
  /// `nan` is a missing value; blank lines are skipped.
  ///
  /// Throws a `TableError` where there is no such file, it is not UTF-8 text, is empty or holds a
  /// header alone, a row has too few or too many fields, a quote is not closed, or two columns
  /// share a name. A cell that spoils a column is reported when the column is used.
  ///
  /// Reference: RFC 4180.
  public init(contentsOfCSV path: String) throws {
    try self.init(csv: Table.text(of: path), path: path)
  }

  package init(csv text: String, path: String) throws {
    self.path = path
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw TableError(
        "the file is empty; it must hold a header line and one row per sample.", path: path)
    }
    let delimiter = Table.delimiter(of: text)
    let records = try Table.records(in: text, delimiter: delimiter, path: path)
    guard let (headerLine, header) = records.header else {
      throw TableError("the file holds no header line.", path: path)
    }
    try Table.check(header: header, line: headerLine, path: path)
    guard !records.lines.isEmpty else {
      throw TableError(
        "the file holds a header but no rows; add one row per sample.", path: path)
    }
    lines = records.lines
    rowCount = records.lines.count
    columns = zip(header, records.cells).map {
      Column(name: $0, rawCells: $1, delimiter: delimiter)
    }
  }

  /// The column of that name, or an error that lists the names there are.
  package func column(named name: String, as role: String) throws -> Column {
    if let column = columns.first(where: { $0.name == name }) { return column }
    let names = columns.map(\.name)
    let list = names.prefix(30).joined(separator: ", ") + (names.count > 30 ? ", ..." : "")
    let meant =
      closestName(to: name, among: names).map { "did you mean `\($0)`? The" } ?? "the"
    throw TableError(
      "there is no column `\(name)` to take as \(role); \(meant) columns are: \(list).",
      path: path)
  }
}

extension Table {
  private static func text(of path: String) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw TableError("there is no such file; check the path.", path: path)
    }
    guard !isDirectory.boolValue else {
      throw TableError("this is a folder; name a CSV file in it.", path: path)
    }
    let data: Data
    do {
      // A handle reads pipes too, where `Data(contentsOf:)` wants a file.
      guard let handle = FileHandle(forReadingAtPath: path) else {
        throw CocoaError(.fileReadNoPermission)
      }
      data = try read(handle, path: path)
    } catch let error as TableError {
      throw error
    } catch {
      throw TableError("the file cannot be read; check its permissions.", path: path)
    }
    if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
      throw TableError("the file is UTF-16 text; save it as UTF-8.", path: path)
    }
    if data.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      throw TableError(
        "the file is an archive or a spreadsheet; export the sheet as CSV.", path: path)
    }
    guard !data.contains(0), let text = String(data: data, encoding: .utf8) else {
      throw TableError(
        "the file is not UTF-8 text; is it a CSV file? Export the table as CSV in UTF-8.",
        path: path)
    }
    return text.first == "\u{FEFF}" ? String(text.dropFirst()) : text
  }

  /// The bytes up to the end, in parts: what is no text, or has no end, is left at once.
  private static func read(_ handle: FileHandle, path: String) throws -> Data {
    let limit = TensorFileLimits.standard.tableBytes
    var data = Data()
    while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty {
      data.append(part)
      // The caller says what the file is instead.
      if part.contains(0) { break }
      guard data.count <= limit else {
        throw TableError(
          "the table takes more than \(limit) bytes, which is all that is read; use fewer rows.",
          path: path)
      }
    }
    return data
  }

  /// Whichever of comma, semicolon and tab the first line has most of outside quotes.
  private static func delimiter(of text: String) -> Character {
    var counts: [Character: Int] = [:]
    var quoted = false
    for character in text.drop(while: \.isNewline) {
      if character == "\"" { quoted.toggle() }
      if character.isNewline && !quoted { break }
      if !quoted, [",", ";", "\t"].contains(character) { counts[character, default: 0] += 1 }
    }
    return [",", ";", "\t"].max { counts[$0, default: 0] < counts[$1, default: 0] } ?? ","
  }

  /// Collects what the parser calls back with; a class because the callback escapes.
  private final class Records {
    var header: (line: Int, names: [String])?
    var cells: [[String]] = []
    var lines: [Int] = []
    var line = 1
    var lastRow: (line: Int, fields: [String])?
    var ragged: (line: Int, count: Int)?

    func take(_ fields: [String]) {
      let start = line
      line += 1
      for field in fields where field.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
        line += field.count(where: \.isNewline)
      }
      lastRow = (start, fields)
      if fields.allSatisfy({ $0.isEmpty }) && fields.count == 1 { return }
      if fields == [Table.endMark] { return }
      guard let header else {
        self.header = (start, fields.map(trimmed))
        cells = Array(repeating: [], count: fields.count)
        return
      }
      guard fields.count == header.names.count else {
        if ragged == nil { ragged = (start, fields.count) }
        return
      }
      lines.append(start)
      for (column, field) in fields.enumerated() { cells[column].append(trimmed(field)) }
    }
  }

  /// Appended as a last line: a quote left open swallows it, which the parser itself lets pass.
  private static let endMark = "\u{1}"

  private static func records(
    in text: String, delimiter: Character, path: String
  ) throws -> Records {
    let records = Records()
    do {
      let marked = text + (text.last?.isNewline == true ? "" : "\n") + endMark + "\n"
      let csv = try EnumeratedCSV(
        string: marked, delimiter: .character(delimiter), loadColumns: false, rowLimit: 0)
      try csv.enumerateAsArray(startAt: 0, rowLimit: nil) { records.take($0) }
    } catch is CSVParseError {
      throw TableError(
        "a quoted field goes on after its closing quote; write a quote inside a field twice.",
        path: path, line: records.line)
    }
    if let last = records.lastRow, last.fields != [endMark] {
      throw TableError("a quote opened here is never closed.", path: path, line: last.line)
    }
    if let ragged = records.ragged, let header = records.header {
      throw TableError(
        "the row has \(counted(ragged.count, "field")), the header has "
          + "\(counted(header.names.count, "field")); mend the line"
          + (ragged.count > header.names.count ? ", quoting fields that hold a delimiter." : "."),
        path: path, line: ragged.line)
    }
    return records
  }

  private static func check(header: [String], line: Int, path: String) throws {
    if header.allSatisfy({ Double($0) != nil }) {
      throw TableError(
        "the first line holds numbers, not names; add a header line.", path: path, line: line)
    }
    if let unnamed = header.firstIndex(of: "") {
      throw TableError(
        "column \(unnamed + 1) has no name in the header; give it one (a row index written by "
          + "pandas stays out with to_csv(index=False)).", path: path, line: line)
    }
    var seen: [String: Int] = [:]
    for (index, name) in header.enumerated() {
      if let first = seen.updateValue(index, forKey: name) {
        throw TableError(
          "two columns have this name (columns \(first + 1) and \(index + 1)); rename one.",
          path: path, line: line, column: name)
      }
    }
  }
}

private func trimmed(_ field: String) -> String {
  let isPadded = { (byte: UInt8?) in byte == 0x20 || byte == 0x09 }
  guard isPadded(field.utf8.first) || isPadded(field.utf8.last) else { return field }
  return field.trimmingCharacters(in: .whitespaces)
}

/// "1 field", "3 fields".
package func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
