/// A table as a model takes it: a matrix of features and a target.
public struct TabularData: Sendable {
  /// Feature values, row by row: `features[i * featureCount + j]` is feature j of sample i.
  public let features: [Double]
  /// Names in matrix order; a text column `c` with values u, v gives `c=u` and `c=v`.
  public let featureNames: [String]
  public let sampleCount: Int
  public var featureCount: Int { featureNames.count }
  public let target: Target
  /// What was decided or noticed on the way, one sentence each, to be said aloud.
  public let notes: [String]

  /// What a model is to predict.
  public enum Target: Sendable, Equatable {
    /// A number per sample.
    case numeric(name: String, values: [Double])
    /// A class per sample: `labels[Int(indices[i])]`, labels in ascending order.
    case classes(name: String, labels: [String], indices: [Int32])

    public var name: String {
      switch self {
      case .numeric(let name, _), .classes(let name, _, _): name
      }
    }
  }

  /// What to do about a missing value among the features.
  public enum MissingValues: String, Sendable, CaseIterable {
    /// An error that names the line and the column.
    case refuse
    /// The mean of the column's other values; a note counts them.
    case mean
  }

  /// How to read the target column.
  public enum TargetKind: String, Sendable, CaseIterable {
    /// Classes if it is text, or holds integers with at most `integerClassLimit` distinct values.
    case automatic
    case numeric
    case classes
  }

  /// Distinct integers up to which an integer target is taken to name classes.
  public static let integerClassLimit = 20
  /// Distinct values above which a text feature is taken to be an identifier.
  public static let categoryLimit = 50

  /// Takes the target and the features out of a table.
  ///
  /// - `features`: the columns to use, in this order; all but the target and the dropped if nil.
  /// - `drop`: columns to leave out, faulty or not.
  ///
  /// Throws a `TableError` for a column that is not there, an unusable cell, a missing value that
  /// is refused, a text feature that looks like an identifier, a target with one class only, fewer
  /// than two rows, or no feature left.
  public init(
    table: Table, target: String, features: [String]? = nil, drop: [String] = [],
    missing: MissingValues = .refuse, targetKind: TargetKind = .automatic
  ) throws {
    let chosen = try TabularData.chosenColumns(
      of: table, target: target, features: features, drop: drop)
    guard table.rowCount >= 2 else {
      throw TableError(
        "there is only one row; add rows, at least two are needed.", path: table.path)
    }
    var notes: [String] = []
    self.target = try Target(
      column: table.column(named: target, as: "the target"), of: table, kind: targetKind,
      notes: &notes)

    var encoded: [EncodedColumn] = []
    for column in chosen {
      encoded += try EncodedColumn.encode(column, of: table, missing: missing, notes: &notes)
    }
    let width = encoded.count
    var matrix = [Double](repeating: 0, count: table.rowCount * width)
    for (j, column) in encoded.enumerated() {
      for (i, value) in column.values.enumerated() { matrix[i * width + j] = value }
    }
    if width > table.rowCount {
      notes.append(
        "\(width) features but \(table.rowCount) samples: a linear model fits the samples exactly "
          + "in many ways, and its curvature is zero along the difference; add --l2 or drop columns."
      )
    }
    self.features = matrix
    featureNames = encoded.map(\.name)
    sampleCount = table.rowCount
    self.notes = notes
  }

  private static func chosenColumns(
    of table: Table, target: String, features: [String]?, drop: [String]
  ) throws -> [Column] {
    _ = try table.column(named: target, as: "the target")
    for name in drop { _ = try table.column(named: name, as: "a column to drop") }
    if drop.contains(target) {
      throw TableError(
        "the target cannot be dropped; leave it out of --drop.", path: table.path, column: target)
    }
    var chosen: [Column]
    if let features {
      chosen = []
      for name in features where !chosen.contains(where: { $0.name == name }) {
        chosen.append(try table.column(named: name, as: "a feature"))
      }
      if features.contains(target) {
        throw TableError(
          "the target cannot be a feature too; leave it out of --features.",
          path: table.path, column: target)
      }
    } else {
      chosen = table.columns.filter { $0.name != target }
    }
    chosen.removeAll { drop.contains($0.name) }
    guard !chosen.isEmpty else {
      throw TableError(
        "no feature is left beside the target; drop fewer columns.", path: table.path)
    }
    return chosen
  }
}

/// Features that one column gives: itself, or one indicator per value of a text column.
private struct EncodedColumn {
  let name: String
  let values: [Double]

  static func encode(
    _ column: Column, of table: Table, missing: TabularData.MissingValues, notes: inout [String]
  ) throws -> [EncodedColumn] {
    try column.checkUsable(in: table)
    switch column.cells {
    case .numeric(let cells):
      let values = try complete(cells, of: column, in: table, missing: missing, notes: &notes)
      if values.allSatisfy({ $0 == values[0] }) {
        notes.append(
          "`\(column.name)` is \(shortest(values[0])) in every row: beside the bias it adds a "
            + "direction of zero curvature; --drop \(column.name) removes it.")
      } else if values.count >= 10, zip(values, values.dropFirst()).allSatisfy({ $1 == $0 + 1 }) {
        notes.append(
          "`\(column.name)` counts the rows up by one: if it is an identifier, "
            + "--drop \(column.name) removes it.")
      }
      return [EncodedColumn(name: column.name, values: values)]

    case .text(let cells):
      if let row = cells.firstIndex(of: nil) {
        throw column.error(
          "the value is missing"
            + (missing == .mean ? ", and a column of words has no mean" : "")
            + "; fill it in, remove the row, or leave the column out with --drop \(column.name).",
          row: row, in: table)
      }
      let distinct = column.distinctTexts
      if distinct.count > TabularData.categoryLimit || distinct.count == cells.count {
        throw TableError(
          "\(distinct.count) different words in \(counted(cells.count, "row")) look like an "
            + "identifier, not a category; leave the column out with --drop \(column.name).",
          path: table.path, column: column.name)
      }
      notes.append(
        distinct.count == 1
          ? "`\(column.name)` is `\(distinct[0])` in every row: beside the bias it adds a direction "
            + "of zero curvature; --drop \(column.name) removes it."
          : "`\(column.name)` is text: taken as \(distinct.count) features of 0 or 1, which sum to "
            + "one and so, beside the bias, add a direction of zero curvature.")
      return distinct.map { value in
        EncodedColumn(
          name: "\(column.name)=\(value)", values: cells.map { $0 == value ? 1 : 0 })
      }
    }
  }

  private static func complete(
    _ cells: [Double?], of column: Column, in table: Table, missing: TabularData.MissingValues,
    notes: inout [String]
  ) throws -> [Double] {
    let present = cells.compactMap { $0 }
    if present.count == cells.count { return present }
    switch missing {
    case .refuse:
      throw column.error(
        "the value is missing; fill it in, remove the row, leave the column out with "
          + "--drop \(column.name), or take the column's mean with --missing mean.",
        row: cells.firstIndex(of: nil)!, in: table)
    case .mean:
      // Divided first, since a sum of huge values would overflow.
      let mean = present.reduce(0) { $0 + $1 / Double(present.count) }
      let count = cells.count - present.count
      notes.append(
        "`\(column.name)`: \(counted(count, "missing value")) set to the mean of the others, "
          + "\(shortest(mean)).")
      return cells.map { $0 ?? mean }
    }
  }
}

extension TabularData.Target {
  fileprivate init(
    column: Column, of table: Table, kind: TabularData.TargetKind, notes: inout [String]
  ) throws {
    try column.checkUsable(in: table)
    switch column.cells {
    case .numeric(let cells):
      let values = cells.compactMap { $0 }
      guard values.count == cells.count else {
        throw Self.missingTarget(row: cells.firstIndex(of: nil)!, column, table)
      }
      let distinct = Set(values).sorted()
      // Beyond 2^53 every double is whole.
      let integral = distinct.allSatisfy { $0 == $0.rounded() && abs($0) < 0x1p53 }
      let fewIntegers = integral && distinct.count <= TabularData.integerClassLimit
      guard kind == .classes || (kind == .automatic && fewIntegers) else {
        if distinct.count == 1 {
          notes.append(
            "the target `\(column.name)` is \(shortest(distinct[0])) in every row: the bias alone "
              + "fits it.")
        }
        self = .numeric(name: column.name, values: values)
        return
      }
      try Self.checkClasses(distinct.count, example: shortest(distinct[0]), column, table)
      if kind == .automatic {
        notes.append(
          "`\(column.name)` holds \(distinct.count) distinct integers: treated as classes; use "
            + "--model linear to regress on it.")
      }
      let index = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int32($0)) })
      self = .classes(
        name: column.name, labels: distinct.map(shortest), indices: values.map { index[$0]! })

    case .text(let cells):
      let values = cells.compactMap { $0 }
      guard values.count == cells.count else {
        throw Self.missingTarget(row: cells.firstIndex(of: nil)!, column, table)
      }
      guard kind != .numeric else {
        throw column.error(
          "the target is text (`\(values[0])`), and regression needs numbers; use --model softmax.",
          row: 0, in: table)
      }
      let distinct = column.distinctTexts
      try Self.checkClasses(distinct.count, example: distinct[0], column, table)
      let index = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int32($0)) })
      self = .classes(name: column.name, labels: distinct, indices: values.map { index[$0]! })
    }
  }

  private static func missingTarget(row: Int, _ column: Column, _ table: Table) -> TableError {
    column.error(
      "the target's value is missing; fill it in or remove the row.", row: row, in: table)
  }

  private static func checkClasses(
    _ count: Int, example: String, _ column: Column, _ table: Table
  ) throws {
    if count == 1 {
      throw TableError(
        "the target holds one class only, `\(example)`, so there is nothing to tell apart; choose "
          + "another target or add rows of another class.", path: table.path, column: column.name)
    }
    if count == table.rowCount, count > TabularData.integerClassLimit {
      throw TableError(
        "every row has a class of its own (`\(example)`, ...), so there is nothing to learn; choose "
          + "another target, or --model linear if it is a quantity.",
        path: table.path, column: column.name)
    }
  }
}

extension Column {
  func checkUsable(in table: Table) throws {
    if let fault { throw error(fault.sentence, row: fault.row, in: table) }
  }

  func error(_ sentence: String, row: Int, in table: Table) -> TableError {
    TableError(sentence, path: table.path, line: table.lines[row], column: name)
  }
}
