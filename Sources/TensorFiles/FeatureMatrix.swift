import Presentation

/// A matrix of features, row by row, out of a table's columns.
struct FeatureMatrix {
  let values: [Double]
  /// Names in matrix order.
  let names: [String]

  /// - Parameter notes: what was noticed is added.
  init(_ columns: [Column], of table: Table, for use: TableUse, notes: inout [String]) throws {
    var features: [FeatureColumn] = []
    for column in columns {
      try column.checkUsable(in: table, for: use, isTarget: false)
      features.append(try FeatureColumn(column, of: table, for: use, notes: &notes))
    }
    names = features.flatMap(\.names)
    let width = names.count
    var matrix = [Double](repeating: 0, count: table.rowCount * width)
    var first = 0
    for feature in features {
      feature.write(to: &matrix, at: first, width: width)
      first += feature.names.count
    }
    values = matrix
  }
}

/// The features that one column gives: itself, or one indicator per value of a text column.
private struct FeatureColumn {
  private enum Content {
    /// NaN stands for `mean`.
    case numbers([Double], mean: Double)
    case indicators([Int32])
  }

  let names: [String]
  private let content: Content

  init(
    _ column: Column, of table: Table, for use: TableUse, notes: inout [String]
  ) throws {
    switch column.cells {
    case .numeric(let cells):
      let mean = try Self.mean(of: cells, in: column, of: table, for: use, notes: &notes)
      if case .tabularModel = use {
        Self.note(
          cells.storage, mean: mean, name: column.name, hasBias: use.hasBias, notes: &notes)
      }
      names = [column.name]
      content = .numbers(cells.storage, mean: mean)
    case .text(let cells):
      guard case .tabularModel = use else {
        throw column.error(
          "the column is text, and a network's input takes numbers; replace the words by numbers or "
            + "remove the column.", row: 0, in: table)
      }
      if let row = cells.firstMissing {
        throw column.error(
          use.missingRemedy(column: column.name, isText: true), row: row, in: table)
      }
      let (words, indices) = cells.sorted
      try Self.check(words, of: column, in: table, for: use, notes: &notes)
      names = words.map { "\(column.name)=\($0)" }
      content = .indicators(indices)
    }
  }

  /// Writes the values to columns of a row-major matrix, `first` and those behind it.
  func write(to matrix: inout [Double], at first: Int, width: Int) {
    switch content {
    case .numbers(let values, let mean):
      for (row, value) in values.enumerated() {
        matrix[row * width + first] = value.isNaN ? mean : value
      }
    case .indicators(let indices):
      for (row, index) in indices.enumerated() { matrix[row * width + first + Int(index)] = 1 }
    }
  }

  /// What missing values are set to: NaN where there are none.
  private static func mean(
    of cells: Column.Numbers, in column: Column, of table: Table, for use: TableUse,
    notes: inout [String]
  ) throws -> Double {
    guard let row = cells.firstMissing else { return .nan }
    guard case .tabularModel(.mean, _, _) = use else {
      throw column.error(
        use.missingRemedy(column: column.name, isText: false), row: row, in: table)
    }
    let missing = cells.storage.count(where: \.isNaN)
    let present = Double(cells.count - missing)
    // Divided first, since a sum of huge values would overflow.
    let mean = cells.storage.reduce(0) { $1.isNaN ? $0 : $0 + $1 / present }
    notes.append(
      "`\(column.name)`: \(counted(missing, "missing value")) set to the mean of the others, "
        + "\(shortest(mean)).")
    return mean
  }

  private static func note(
    _ storage: [Double], mean: Double, name: String, hasBias: Bool, notes: inout [String]
  ) {
    func value(_ row: Int) -> Double { storage[row].isNaN ? mean : storage[row] }
    if storage.indices.allSatisfy({ value($0) == value(0) }) {
      guard hasBias else { return }
      notes.append(
        "`\(name)` is \(shortest(value(0))) in every row: beside the bias it adds a direction of zero "
          + "curvature; --drop \(name) removes it.")
    } else if storage.count >= 10, Column.Numbers(storage: storage).countsUp {
      notes.append(
        "`\(name)` counts the rows up by one: if it is an identifier, --drop \(name) removes it.")
    }
  }

  private static func check(
    _ words: [String], of column: Column, in table: Table, for use: TableUse,
    notes: inout [String]
  ) throws {
    let (name, hasBias) = (column.name, use.hasBias)
    guard words.count <= TabularData.keptCategoryLimit else {
      throw TableError(
        "\(words.count) different words are more features than a column may give, "
          + "\(TabularData.keptCategoryLimit); leave the column out with \(option: .dropped, name).",
        path: table.path, column: name)
    }
    if case .tabularModel(.refuse, _, let kept) = use, !kept.contains(name),
      words.count > TabularData.categoryLimit || words.count == table.rowCount
    {
      throw TableError(
        "\(words.count) different words in \(counted(table.rowCount, "row")) look like an "
          + "identifier, not a category; leave the column out with \(option: .dropped, name).",
        path: table.path, column: name)
    }
    guard hasBias else {
      notes.append(
        "`\(name)` is text: taken as \(counted(words.count, "feature")) of 0 or 1, which sum to one."
      )
      return
    }
    notes.append(
      words.count == 1
        ? "`\(name)` is `\(words[0])` in every row: beside the bias it adds a direction of zero "
          + "curvature; --drop \(name) removes it."
        : "`\(name)` is text: taken as \(words.count) features of 0 or 1, which sum to one and so, "
          + "beside the bias, add a direction of zero curvature.")
  }
}
