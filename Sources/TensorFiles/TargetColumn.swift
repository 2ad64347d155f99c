/// The numbers or words of a target, none of them missing.
enum TargetColumn {
  /// - `areWhole`: whether they are labels as well as numbers.
  case numbers([Double], areWhole: Bool)
  /// A row's word is `labels[Int(indices[row])]`; labels in ascending order.
  case words(labels: [String], indices: [Int32])

  init(_ column: Column, of table: Table, for use: TableUse) throws {
    try column.checkUsable(in: table, for: use, isTarget: true)
    let firstMissing =
      switch column.cells {
      case .numeric(let cells): cells.firstMissing
      case .text(let cells): cells.firstMissing
      }
    if let row = firstMissing {
      throw column.error(
        "the target's value is missing; fill it in or remove the row.", row: row, in: table)
    }
    switch column.cells {
    case .numeric(let cells):
      self = .numbers(
        cells.storage,
        areWhole: cells.storage.allSatisfy { $0 == $0.rounded() && abs($0) < 0x1p53 })
    case .text(let cells):
      let (labels, indices) = cells.sorted
      self = .words(labels: labels, indices: indices)
    }
  }
}
