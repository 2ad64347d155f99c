import Presentation
import TensorPrograms

/// A CSV table of numbers as two arrays: `x`, a row per sample and a column per column other than the
/// target, and `target`, one number per sample (`int64` where all are whole, and the index of the word
/// in ascending order where it is a column of words). Without a column of the target's name there is
/// `x` alone.
public struct TableSource: TensorSource {
  public let path: String
  public let keys: [String]
  /// Names of the columns of `x`.
  public let columnNames: [String]
  private let arrays: [String: Tensor]

  /// Throws an `ArrayFileError` where the file is larger than `limits` allow, or a `TableError` where it
  /// is no table, or a column is missing a value or, beside the target, is not of numbers.
  public init(
    _ path: String, target: String = "target", limits: TensorFileLimits = .standard
  ) throws {
    if case .regular(let size) = FileKind(path), size > limits.tableBytes {
      throw ArrayFileError(
        "the table takes \(size) bytes, and at most \(limits.tableBytes) are read; save it as NPY.",
        path: path)
    }
    try self.init(Table(contentsOfCSV: path), target: target)
  }

  package init(_ table: Table, target: String) throws {
    path = table.path
    let features = table.columns.filter { $0.name != target }
    columnNames = features.map(\.name)
    let isMissing = features.count == table.columns.count
    guard !features.isEmpty else {
      throw TableError("there is no column beside the target; add one.", path: path)
    }
    let count = table.rowCount
    var matrix = [Double](repeating: 0, count: count * features.count)
    for (j, column) in features.enumerated() {
      try column.checkUsable(in: table)
      guard case .numeric(let cells) = column.cells else {
        if isMissing, target != "target" {
          throw Self.missingTarget(target, among: columnNames, path: path)
        }
        throw column.error(
          "the column is text, and a network's input takes numbers; replace the words by numbers or "
            + "remove the column.", row: 0, in: table)
      }
      for (i, cell) in cells.enumerated() {
        guard let cell else { throw column.missing(row: i, in: table) }
        matrix[i * features.count + j] = cell
      }
    }
    var arrays = ["x": Tensor(matrix, shape: [count, features.count])]
    var keys = ["x"]
    if let column = table.columns.first(where: { $0.name == target }) {
      arrays["target"] = try column.targets(in: table)
      keys.append("target")
    }
    self.arrays = arrays
    self.keys = keys
  }

  /// Why the table has no target, where one is needed.
  package func missingTarget(_ name: String) -> TableError {
    Self.missingTarget(name, among: columnNames, path: path)
  }

  private static func missingTarget(
    _ name: String, among columns: [String], path: String
  ) -> TableError {
    let shown = columns.prefix(30).map(Printable.name)
    let meant = closestName(to: String(name.prefix(80)), among: shown)
    return TableError(
      "there is no column `\(Printable.name(name))` to take as the target; "
        + (meant.map { "did you mean `\($0)`? The" } ?? "the") + " columns are: "
        + shown.joined(separator: ", ") + (columns.count > 30 ? ", ..." : "")
        + "; name it with --target.", path: path)
  }

  public func type(of key: String) throws -> TensorType { try tensor(key).type }

  public func tensor(_ key: String) throws -> Tensor {
    guard let tensor = arrays[key] else { throw missingKey(key, among: keys, path: path) }
    return tensor
  }

  public func tensor(_ key: String, rows: Range<Int>) throws -> Tensor {
    let whole = try tensor(key)
    try ArrayPlace(path: path, key: key).check(rows, of: whole.type)
    return whole.rows(rows)
  }
}

extension Column {
  fileprivate func targets(in table: Table) throws -> Tensor {
    try checkUsable(in: table)
    func present<Value>(_ cells: [Value?]) throws -> [Value] {
      try cells.enumerated().map { row, cell in
        guard let cell else { throw missing(row: row, in: table) }
        return cell
      }
    }
    switch cells {
    case .numeric(let cells):
      let values = try present(cells)
      // Beyond 2^53 every double is whole.
      return values.allSatisfy { $0 == $0.rounded() && abs($0) < 0x1p53 }
        ? Tensor(values.map { Int64($0) }, shape: [values.count])
        : Tensor(values, shape: [values.count])
    case .text(let cells):
      let values = try present(cells)
      let index = Dictionary(
        uniqueKeysWithValues: distinctTexts.enumerated().map { ($1, Int64($0)) })
      return Tensor(values.map { index[$0]! }, shape: [values.count])
    }
  }

  fileprivate func missing(row: Int, in table: Table) -> TableError {
    error("the value is missing; fill it in or remove the row.", row: row, in: table)
  }
}

extension Tensor {
  /// The elements with these indices on the first axis.
  fileprivate func rows(_ rows: Range<Int>) -> Tensor {
    let width = shape.dimensions.dropFirst().reduce(1, *)
    let range = rows.lowerBound * width..<rows.upperBound * width
    var result = shape
    result[0] = rows.count
    return switch storage {
    case .float32(let values): Tensor(Array(values[range]), shape: result)
    case .float64(let values): Tensor(Array(values[range]), shape: result)
    case .int32(let values): Tensor(Array(values[range]), shape: result)
    case .int64(let values): Tensor(Array(values[range]), shape: result)
    case .bool(let values): Tensor(Array(values[range]), shape: result)
    }
  }
}
