extension Column {
  var words: Words? { if case .text(let words) = cells { words } else { nil } }

  var hasMissing: Bool {
    switch cells {
    case .numeric(let numbers): numbers.firstMissing != nil
    case .text(let words): words.firstMissing != nil
    }
  }

  func isMissing(_ row: Int) -> Bool {
    switch cells {
    case .numeric(let numbers): numbers.storage[row].isNaN
    case .text(let words): words.codes[row] < 0
    }
  }

  /// The column as one of numbers without a fault.
  func with(_ numbers: Numbers) -> Column {
    Column(name: name, cells: .numeric(numbers), fault: nil, spelling: spelling, origin: origin)
  }

  /// Some of its rows.
  func rows(_ rows: [Int]) -> Column {
    let chosen: Cells =
      switch cells {
      case .numeric(let numbers): .numeric(Numbers(storage: rows.map { numbers.storage[$0] }))
      case .text(let words): .text(Words(rows.map { words[$0] }))
      }
    return Column(name: name, cells: chosen, fault: fault, spelling: spelling, origin: origin)
  }
}

extension Table {
  /// Some of its rows; columns are those of the whole.
  func rows(_ rows: [Int]) -> Table {
    Table(path: path, columns: columns, rowCount: rows.count, lines: rows.map { lines[$0] })
  }
}
