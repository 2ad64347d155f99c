import Presentation

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
  /// What was decided for the user, who might have decided otherwise.
  public let readings: [Reading]
  /// How many classes a target of whole numbers has, where it could be read either way: few of them, and
  /// nobody said how.
  public let undecidedClasses: Int?

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
    /// Rows and columns are left out, and readings say which; see `TableCleaning`.
    case leaveOut = "leave-out"
    /// An error that names the line and the column.
    case refuse
    /// The mean of the column's other values; a note counts them.
    case mean
  }

  /// How to read the target column.
  public enum TargetKind: String, Sendable, CaseIterable {
    /// Classes if it is text, or holds integers that look like codes; see `TargetReading`.
    case automatic
    case numeric
    case classes
  }

  /// Distinct integers up to which an integer target may be taken to name classes.
  public static let integerClassLimit = 20
  /// Distinct values above which a text feature is taken to be an identifier.
  public static let categoryLimit = 50
  /// Distinct values of a text feature above which it is refused, asked for or not.
  public static let keptCategoryLimit = 2_000

  /// Takes the target and the features out of a table.
  ///
  /// - `features`: the columns to use, in this order; all but the target and the dropped if nil.
  /// - `drop`: columns to leave out, faulty or not.
  /// - `keep`: columns to use though they identify rows, hold dates or miss many values; so are those of
  ///   `features`.
  /// - `choices`: the options that choose how the target is read, for a reading to name.
  /// - `hasBias`: whether the model has a bias, so that notes compare columns with it.
  ///
  /// Throws a `TableError` for a column that is not there, an unusable cell, a missing value that
  /// is refused, a text feature that looks like an identifier, a target with one class only, fewer
  /// than two rows, or no feature left.
  public init(
    table: Table, target: String, features: [String]? = nil, drop: [String] = [],
    keep: [String] = [], missing: MissingValues = .refuse, targetKind: TargetKind = .automatic,
    choices: TargetChoices = .model, hasBias: Bool = true
  ) throws {
    let chosen = try TabularData.chosenColumns(
      of: table, target: target, features: features, drop: drop, keep: keep)
    guard table.rowCount >= 2 else {
      throw TableError(
        "there is only one row; add rows, at least two are needed.", path: table.path)
    }
    let kept = Set(keep + (features ?? []))
    let cleaned = try TableCleaning(
      table, target: table.column(named: target, as: "the target"), features: chosen, kept: kept,
      missing: missing)
    let table = cleaned.table
    var notes: [String] = []
    var readings = cleaned.readings
    var undecided: Int?
    let use = TableUse.tabularModel(missing, hasBias: hasBias, kept: kept)
    self.target = try Target(
      column: cleaned.target, of: table, for: use, kind: targetKind, choices: choices,
      notes: &notes, readings: &readings,
      undecided: &undecided)
    let matrix = try FeatureMatrix(cleaned.features, of: table, for: use, notes: &notes)
    let width = matrix.names.count
    if width > table.rowCount {
      notes.append(
        "\(width) features but \(table.rowCount) samples: a linear model fits the samples exactly "
          + "in many ways, and its curvature is zero along the difference; add --l2 or drop columns."
      )
    }
    self.features = matrix.values
    featureNames = matrix.names
    sampleCount = table.rowCount
    self.notes = notes
    self.readings = readings
    undecidedClasses = undecided
  }

  private static func chosenColumns(
    of table: Table, target: String, features: [String]?, drop: [String], keep: [String]
  ) throws -> [Column] {
    _ = try table.column(named: target, as: "the target")
    for name in drop { _ = try table.column(named: name, as: "a column to drop") }
    for name in keep { _ = try table.column(named: name, as: "a column to keep") }
    if let both = keep.first(where: drop.contains) {
      throw TableError(
        "the column cannot be both kept and dropped; take it out of \(option: .kept) or "
          + "\(option: .dropped).", path: table.path, column: both)
    }
    if drop.contains(target) {
      throw TableError(
        "the target cannot be dropped; leave it out of \(option: .dropped).", path: table.path,
        column: target)
    }
    var chosen: [Column]
    if let features {
      chosen = []
      for name in features where !chosen.contains(where: { $0.name == name }) {
        chosen.append(try table.column(named: name, as: "a feature"))
      }
      if features.contains(target) {
        throw TableError(
          "the target cannot be a feature too; leave it out of \(option: .features).",
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

extension TabularData.Target {
  /// - Parameter readings: how whole numbers were read is added, where `kind` does not say how.
  fileprivate init(
    column: Column, of table: Table, for use: TableUse, kind: TabularData.TargetKind,
    choices: TabularData.TargetChoices, notes: inout [String], readings: inout [Reading],
    undecided: inout Int?
  ) throws {
    switch try TargetColumn(column, of: table, for: use) {
    case .numbers(let values, let areWhole):
      let distinct = Self.distinct(
        values, limit: kind == .classes ? .max : TabularData.integerClassLimit)
      var isClasses = kind == .classes
      if kind == .automatic, areWhole {
        let reading = TargetReading(distinct: distinct, rows: values.count)
        isClasses = reading.isClasses
        if distinct.count > 1 {
          readings.append(reading.reading(of: column.name, choices))
          undecided = distinct.count <= TabularData.integerClassLimit ? distinct.count : nil
        }
      }
      guard isClasses else {
        if distinct.count == 1 {
          notes.append(
            "the target `\(column.name)` is \(shortest(distinct[0])) in every row"
              + (use.hasBias ? ": the bias alone fits it." : "."))
        }
        self = .numeric(name: column.name, values: values)
        return
      }
      try Self.checkClasses(distinct.count, example: shortest(distinct[0]), column, table)
      let index = Dictionary(uniqueKeysWithValues: distinct.enumerated().map { ($1, Int32($0)) })
      self = .classes(
        name: column.name, labels: distinct.map(shortest), indices: values.map { index[$0]! })

    case .words(let labels, let indices):
      let isHopeless = Self.isClassPerRow(labels.count, table)
      guard kind != .numeric else {
        throw column.error(
          "the target is text (`\(labels[Int(indices[0])])`), and regression needs numbers; "
            + (isHopeless
              ? "write it as plain numbers, or choose another target."
              : "write it as plain numbers, or use \(option: .model, "softmax")."),
          row: 0,
          in: table)
      }
      try Self.checkClasses(labels.count, example: labels[0], column, table, isText: true)
      if let what = TargetReading.quantity(labels) {
        readings.append(
          Reading(
            "quantities-as-classes",
            "`\(column.name)` holds \(what) such as `\(labels[0])`, which are words here, and so each is "
              + "taken for a class; write them as plain numbers to fit them as such.",
            names: [column.name]))
      }
      self = .classes(name: column.name, labels: labels, indices: indices)
    }
  }

  /// The values that differ, in ascending order; no more than one above the limit are looked for.
  private static func distinct(_ values: [Double], limit: Int) -> [Double] {
    var distinct: Set<Double> = []
    for value in values {
      distinct.insert(value)
      if distinct.count > limit { break }
    }
    return distinct.sorted()
  }

  private static func isClassPerRow(_ count: Int, _ table: Table) -> Bool {
    count == table.rowCount && count > TabularData.integerClassLimit
  }

  private static func checkClasses(
    _ count: Int, example: String, _ column: Column, _ table: Table, isText: Bool = false
  ) throws {
    if count == 1 {
      throw TableError(
        "the target holds one class only, `\(example)`, so there is nothing to tell apart; choose "
          + "another target or add rows of another class.", path: table.path, column: column.name)
    }
    if isClassPerRow(count, table) {
      throw TableError(
        "every row has a class of its own (`\(example)`, ...), so there is nothing to learn; choose "
          + "another target, or, if it is a quantity, "
          + (isText
            ? "write it as plain numbers: a point for the decimals, no unit."
            : "use \(option: .model, "linear")."),
        path: table.path, column: column.name)
    }
  }
}
