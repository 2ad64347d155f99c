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
    if let column = table.columns.first(where: { $0.origin != .header }) {
      throw TableError(
        column.origin == .nameless
          ? "a column has no name in the header; give it one (a row index written by pandas stays out "
            + "with to_csv(index=False))."
          : "two columns have the same name in the header, the later one is called `\(column.name)` "
            + "here; rename one.", path: path, line: 1)
    }
    let features = table.columns.filter { $0.name != target }
    columnNames = features.map(\.name)
    let isMissing = features.count == table.columns.count
    guard !features.isEmpty else {
      throw TableError("there is no column beside the target; add one.", path: path)
    }
    if isMissing, target != "target",
      features.contains(where: { if case .text = $0.cells { $0.fault == nil } else { false } })
    {
      // Words are a target more often than a feature.
      throw Self.missingTarget(target, among: columnNames, path: path)
    }
    var arrays: [String: Tensor] = [:]
    var keys = ["x"]
    if let column = table.columns.first(where: { $0.name == target }) {
      arrays["target"] = Tensor(
        try TargetColumn(column, of: table, for: .modelFile), count: table.rowCount)
      keys.append("target")
    }
    // A model file has no notes on its features.
    var notes: [String] = []
    let matrix = try FeatureMatrix(features, of: table, for: .modelFile, notes: &notes)
    arrays["x"] = Tensor(matrix.values, shape: [table.rowCount, features.count])
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
        + "\(shown.joined(separator: ", "))" + (columns.count > 30 ? ", ..." : "")
        + "; name it with \(option: .target).", path: path)
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

extension Tensor {
  /// Labels where the target is whole or of words, else its numbers.
  fileprivate init(_ target: TargetColumn, count: Int) {
    self =
      switch target {
      case .numbers(let values, let areWhole):
        areWhole
          ? Tensor(values.map { Int64($0) }, shape: [count]) : Tensor(values, shape: [count])
      case .words(_, let indices): Tensor(indices.map { Int64($0) }, shape: [count])
      }
  }

  /// The elements with these indices on the first axis.
  func rows(_ rows: Range<Int>) -> Tensor {
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
