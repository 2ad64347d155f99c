/// Applies `body` to each row along `axis`, as `(row, results)` of contiguous memory.
private func alongAxis<T: InterpreterNumber, R: InterpreterElement>(
  _ operand: Tensor, _: T.Type, axis: Int, resultSize: Int,
  _ body: (UnsafeBufferPointer<T>, UnsafeMutableBufferPointer<R>) -> Void
) -> Tensor {
  var order = Array(0..<operand.shape.rank)
  order.swapAt(axis, operand.shape.rank - 1)
  let rows = transposed(operand, order)
  let size = operand.shape[axis]
  var shape = rows.shape
  shape[shape.rank - 1] = resultSize
  var results = [R](repeating: R.zero, count: shape.count)
  let values = T.values(of: rows)
  values.withUnsafeBufferPointer { values in
    results.withUnsafeMutableBufferPointer { results in
      for row in 0..<(size == 0 ? 0 : values.count / size) {
        body(
          UnsafeBufferPointer(rebasing: values[(row * size)..<((row + 1) * size)]),
          UnsafeMutableBufferPointer(
            rebasing: results[(row * resultSize)..<((row + 1) * resultSize)]))
      }
    }
  }
  return transposed(Tensor(R.storage(results), shape: shape), order)
}

func cumulativeSum(_ operand: Tensor, axis: Int, reversed: Bool) -> Tensor {
  func sum<T: InterpreterNumber>(_: T.Type) -> Tensor {
    alongAxis(operand, T.self, axis: axis, resultSize: operand.shape[axis]) {
      (row: UnsafeBufferPointer<T>, sums: UnsafeMutableBufferPointer<T>) in
      var total = T.zero
      for step in row.indices {
        let index = reversed ? row.count - 1 - step : step
        total = T.sum(total, row[index])
        sums[index] = total
      }
    }
  }
  return switch operand.element {
  case .float32: sum(Float.self)
  case .float64: sum(Double.self)
  case .int32: sum(Int32.self)
  case .int64: sum(Int64.self)
  case .bool: preconditionFailure("a cumulative sum of bools")
  }
}

func argMax(_ operand: Tensor, axis: Int) -> Tensor {
  func find<T: InterpreterNumber>(_: T.Type) -> Tensor {
    alongAxis(operand, T.self, axis: axis, resultSize: 1) {
      (row: UnsafeBufferPointer<T>, index: UnsafeMutableBufferPointer<Int64>) in
      var best = 0
      // A NaN is above all, as in NumPy.
      for place in row.indices.dropFirst()
      where row[best] == row[best] && (row[place] > row[best] || row[place] != row[place]) {
        best = place
      }
      index[0] = Int64(best)
    }.reshaped(operand.shape.removing([axis]))
  }
  return switch operand.element {
  case .float32: find(Float.self)
  case .float64: find(Double.self)
  case .int32: find(Int32.self)
  case .int64: find(Int64.self)
  case .bool: preconditionFailure("a maximum of bools")
  }
}

func sorted(_ operand: Tensor, axis: Int, descending: Bool) -> [Tensor] {
  func sort<T: InterpreterNumber>(_: T.Type) -> [Tensor] {
    let size = operand.shape[axis]
    func comesFirst(_ a: T, _ b: T) -> Bool {
      if a != a || b != b { return a == a }
      return descending ? a > b : a < b
    }
    func positions(_ row: UnsafeBufferPointer<T>) -> [Int] {
      row.indices.sorted { a, b in
        comesFirst(row[a], row[b]) || (!comesFirst(row[b], row[a]) && a < b)
      }
    }
    let values = alongAxis(operand, T.self, axis: axis, resultSize: size) {
      (row: UnsafeBufferPointer<T>, sorted: UnsafeMutableBufferPointer<T>) in
      for (place, source) in positions(row).enumerated() { sorted[place] = row[source] }
    }
    let places = alongAxis(operand, T.self, axis: axis, resultSize: size) {
      (row: UnsafeBufferPointer<T>, sources: UnsafeMutableBufferPointer<Int64>) in
      for (place, source) in positions(row).enumerated() { sources[place] = Int64(source) }
    }
    return [values, places]
  }
  return switch operand.element {
  case .float32: sort(Float.self)
  case .float64: sort(Double.self)
  case .int32: sort(Int32.self)
  case .int64: sort(Int64.self)
  case .bool: preconditionFailure("a sort of bools")
  }
}
