/// The values of one primitive's results.
///
/// - Parameter resultTypes: what the primitive's type rule says of `operands`.
/// - Throws: `InterpreterError`, for an index outside its axis or an integer divided by zero.
package func evaluate(
  _ primitive: Primitive, _ operands: [Tensor], resultTypes: [TensorType]
) throws -> [Tensor] {
  switch primitive {
  case .unary(let function): return [unary(function, operands[0])]
  case .binary(let function): return [try binary(function, operands[0], operands[1])]
  case .compare(let comparison): return [compared(comparison, operands[0], operands[1])]
  case .select: return [selected(operands[0], operands[1], operands[2])]
  case .convert(let element): return [converted(operands[0], to: element)]
  case .stopGradient: return operands

  case .constant(let value): return [value]
  case .iota(let type, let axis):
    let counted = (0..<type.shape[axis]).map(Double.init)
    let row = Tensor(counted, type: TensorType(type.element, [type.shape[axis]]))
    return [broadcast(row, to: type.shape, axes: [axis])]

  case .reshape(let shape): return [operands[0].reshaped(shape)]

  case .transpose(let permutation): return [transposed(operands[0], permutation)]

  case .broadcast(let shape, let axes): return [broadcast(operands[0], to: shape, axes: axes)]

  case .slice(let start, _, let stride):
    let strides = operands[0].shape.strides
    return [
      read(
        operands[0], as: resultTypes[0].shape,
        offset: zip(start, strides).map { $0 * $1 }.reduce(0, +),
        strides: zip(stride, strides).map { $0 * $1 })
    ]

  case .split(_, let axis):
    let strides = operands[0].shape.strides
    var start = 0
    return resultTypes.map { type in
      defer { start += type.shape[axis] }
      return read(
        operands[0], as: type.shape, offset: start * strides[axis], strides: strides)
    }

  case .pad(let low, _, let interior, let value):
    return [
      padded(
        operands[0], low: low, interior: interior, value: value, shape: resultTypes[0].shape)
    ]

  case .concatenate(let axis):
    return [concatenated(operands, axis: axis, shape: resultTypes[0].shape)]

  case .reverse(let axes):
    let shape = operands[0].shape
    var (offset, strides) = (0, shape.strides)
    for axis in axes where shape.count > 0 {
      offset += (shape[axis] - 1) * strides[axis]
      strides[axis] = -strides[axis]
    }
    return [read(operands[0], as: shape, offset: offset, strides: strides)]

  case .gather(let axis, let batch):
    return [try gathered(operands[0], operands[1], axis: axis, batch: batch)]

  case .scatterAdd(let axis, let batch, let size):
    return [
      try scatterAdded(operands[0], operands[1], axis: axis, batch: batch, size: size)
    ]

  case .reduceSum(let axes): return [reduced(operands[0], axes, by: SumFold.self)]
  case .reduceMax(let axes): return [reduced(operands[0], axes, by: MaximumFold.self)]

  case .dot(let dimensions):
    return [dot(operands[0], operands[1], dimensions, shape: resultTypes[0].shape)]

  case .windowMax(let window):
    return [windowMaximum(operands[0], window, shape: resultTypes[0].shape)]
  case .windowSum(let window):
    return [windowSum(operands[0], window, shape: resultTypes[0].shape)]
  case .cumulativeSum(let axis, let reversed):
    return [cumulativeSum(operands[0], axis: axis, reversed: reversed)]
  case .argMax(let axis): return [argMax(operands[0], axis: axis)]
  case .sort(let axis, let descending):
    return sorted(operands[0], axis: axis, descending: descending)
  case .convolution(let convolution):
    return [convolved(operands[0], operands[1], convolution, shape: resultTypes[0].shape)]

  case .call(let body): return try Schedule(body).run(operands)
  case .scan(let scan): return try looped(scan, operands, resultTypes: resultTypes)
  }
}
