func transposed(_ operand: Tensor, _ permutation: [Int]) -> Tensor {
  let strides = operand.shape.strides
  let shape = Shape(permutation.map { operand.shape[$0] })
  return read(operand, as: shape, offset: 0, strides: permutation.map { strides[$0] })
}

func broadcast(_ operand: Tensor, to shape: Shape, axes: [Int]) -> Tensor {
  var strides = [Int](repeating: 0, count: shape.rank)
  for (axis, stride) in operand.shape.strides.enumerated() where operand.shape[axis] != 1 {
    strides[axes[axis]] = stride
  }
  return read(operand, as: shape, offset: 0, strides: strides)
}

/// The tensor whose element `i` is the operand's at `offset + sum_k i_k strides_k`.
func read(_ operand: Tensor, as shape: Shape, offset: Int, strides: [Int]) -> Tensor {
  func read<T: InterpreterElement>(_ source: [T]) -> Tensor {
    var result = [T](repeating: T.zero, count: shape.count)
    copyStrided(
      shape.dimensions, from: source, offset, strides, into: &result, 0, shape.strides)
    return Tensor(T.storage(result), shape: shape)
  }
  return switch operand.storage {
  case .float32(let values): read(values)
  case .float64(let values): read(values)
  case .int32(let values): read(values)
  case .int64(let values): read(values)
  case .bool(let values): read(values)
  }
}

func padded(
  _ operand: Tensor, low: [Int], interior: [Int], value: Double, shape: Shape
) -> Tensor {
  // Operand entries first..<end of an axis land inside the result; negative widths crop the others.
  let from = operand.shape
  var (sizes, source, destination): ([Int], Int, Int) = ([], 0, 0)
  var destinationStrides = shape.strides
  for axis in 0..<from.rank {
    let step = interior[axis] + 1
    let first = min(from[axis], low[axis] < 0 ? (-low[axis] + step - 1) / step : 0)
    let room = max(0, shape[axis] - low[axis])
    let end = max(first, min(from[axis], (room + step - 1) / step))
    sizes.append(end - first)
    source += first * from.strides[axis]
    destination += (low[axis] + first * step) * shape.strides[axis]
    destinationStrides[axis] *= step
  }
  func pad<T: InterpreterNumber>(_ values: [T]) -> Tensor {
    var result = [T](repeating: T.rounded(value), count: shape.count)
    copyStrided(
      sizes, from: values, source, from.strides, into: &result, destination, destinationStrides)
    return Tensor(T.storage(result), shape: shape)
  }
  return switch operand.storage {
  case .float32(let values): pad(values)
  case .float64(let values): pad(values)
  case .int32(let values): pad(values)
  case .int64(let values): pad(values)
  case .bool: preconditionFailure("pad of bools")
  }
}

func concatenated(_ operands: [Tensor], axis: Int, shape: Shape) -> Tensor {
  func concatenate<T: InterpreterElement>(_: T.Type) -> Tensor {
    var result = [T](repeating: T.zero, count: shape.count)
    var start = 0
    for operand in operands {
      copyStrided(
        operand.shape.dimensions, from: T.values(of: operand), 0, operand.shape.strides,
        into: &result, start * shape.strides[axis], shape.strides)
      start += operand.shape[axis]
    }
    return Tensor(T.storage(result), shape: shape)
  }
  return switch operands[0].element {
  case .float32: concatenate(Float.self)
  case .float64: concatenate(Double.self)
  case .int32: concatenate(Int32.self)
  case .int64: concatenate(Int64.self)
  case .bool: concatenate(Bool.self)
  }
}

/// Sets `destination[b + sum_k i_k d_k]` to `source[a + sum_k i_k s_k]` for every index `i` below
/// `sizes`.
private func copyStrided<T>(
  _ sizes: [Int], from source: [T], _ a: Int, _ s: [Int], into destination: inout [T], _ b: Int,
  _ d: [Int]
) {
  guard !sizes.contains(0) else { return }
  source.withUnsafeBufferPointer { source in
    destination.withUnsafeMutableBufferPointer { destination in
      func copy(_ axis: Int, _ a: Int, _ b: Int) {
        if axis == sizes.count {
          destination[b] = source[a]
        } else if axis == sizes.count - 1 {
          let (s, d) = (s[axis], d[axis])
          for i in 0..<sizes[axis] { destination[b + i * d] = source[a + i * s] }
        } else {
          for i in 0..<sizes[axis] { copy(axis + 1, a + i * s[axis], b + i * d[axis]) }
        }
      }
      copy(0, a, b)
    }
  }
}
