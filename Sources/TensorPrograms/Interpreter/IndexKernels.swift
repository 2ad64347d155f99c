/// `result[b, p, o, q] = operand[b, p, indices[b, o], q]`, where `b` runs over the shared axes, `p` over
/// the operand's other axes before `axis`, `o` over the indices' own and `q` over those after `axis`.
func gathered(_ operand: Tensor, _ indices: Tensor, axis: Int, batch: Int) throws -> Tensor {
  let dimensions = operand.shape.dimensions
  let own = Array(indices.shape.dimensions[batch...])
  let shape = Shape(Array(dimensions[..<axis]) + own + Array(dimensions[(axis + 1)...]))
  let layout = IndexedLayout(operand: operand.shape, own: own, axis: axis, batch: batch)
  let positions = try layout.positions(indices, "gather")
  func gather<T: InterpreterElement>(_ values: [T]) -> Tensor {
    var result = [T](repeating: T.zero, count: shape.count)
    layout.forEachRun(positions) { whole, part in
      for q in 0..<layout.after { result[part + q] = values[whole + q] }
    }
    return Tensor(T.storage(result), shape: shape)
  }
  return switch operand.storage {
  case .float32(let values): gather(values)
  case .float64(let values): gather(values)
  case .int32(let values): gather(values)
  case .int64(let values): gather(values)
  case .bool(let values): gather(values)
  }
}

/// `result[b, p, indices[b, o], q] += updates[b, p, o, q]`, with the letters of `gathered`.
func scatterAdded(
  _ updates: Tensor, _ indices: Tensor, axis: Int, batch: Int, size: Int
) throws -> Tensor {
  let dimensions = updates.shape.dimensions
  let own = Array(indices.shape.dimensions[batch...])
  let shape = Shape(
    Array(dimensions[..<axis]) + [size] + Array(dimensions[(axis + own.count)...]))
  let layout = IndexedLayout(operand: shape, own: own, axis: axis, batch: batch)
  let positions = try layout.positions(indices, "scatterAdd")
  func scatter<T: InterpreterNumber>(_ values: [T]) -> Tensor {
    var result = [T](repeating: T.zero, count: shape.count)
    layout.forEachRun(positions) { whole, part in
      for q in 0..<layout.after {
        result[whole + q] = T.sum(result[whole + q], values[part + q])
      }
    }
    return Tensor(T.storage(result), shape: shape)
  }
  return switch updates.storage {
  case .float32(let values): scatter(values)
  case .float64(let values): scatter(values)
  case .int32(let values): scatter(values)
  case .int64(let values): scatter(values)
  case .bool: preconditionFailure("scatterAdd of bools")
  }
}

private struct IndexedLayout {
  let shared: Int
  let before: Int
  let size: Int
  let own: Int
  let after: Int

  init(operand: Shape, own: [Int], axis: Int, batch: Int) {
    shared = operand.dimensions[..<batch].reduce(1, *)
    before = operand.dimensions[batch..<axis].reduce(1, *)
    size = operand[axis]
    after = operand.dimensions[(axis + 1)...].reduce(1, *)
    self.own = own.reduce(1, *)
  }

  /// The indices, each checked against the axis.
  func positions(_ indices: Tensor, _ primitive: String) throws -> [Int] {
    func checked<T: FixedWidthInteger>(_ values: [T]) throws -> [Int] {
      try values.map { value in
        guard value >= 0, value < size else {
          throw InterpreterError.indexOutOfRange(
            primitive: primitive, index: Int(value), size: size)
        }
        return Int(value)
      }
    }
    return switch indices.storage {
    case .int32(let values): try checked(values)
    case .int64(let values): try checked(values)
    case .float32, .float64, .bool: preconditionFailure("indices of type \(indices.type)")
    }
  }

  /// Calls `body` with where each run of `after` elements starts, in the tensor with the whole axis
  /// and in the one with a run per index.
  @inline(__always)
  func forEachRun(_ positions: [Int], _ body: (_ whole: Int, _ part: Int) -> Void) {
    for b in 0..<shared {
      for p in 0..<before {
        let outer = b * before + p
        for o in 0..<own {
          body((outer * size + positions[b * own + o]) * after, (outer * own + o) * after)
        }
      }
    }
  }
}
