/// How a reduction joins two values; a type, so that loops specialise for it.
protocol Fold {
  static func initial<T: InterpreterNumber>() -> T
  static func join<T: InterpreterNumber>(_ a: T, _ b: T) -> T
}

enum SumFold: Fold {
  static func initial<T: InterpreterNumber>() -> T { T.zero }
  static func join<T: InterpreterNumber>(_ a: T, _ b: T) -> T { T.sum(a, b) }
}

enum MaximumFold: Fold {
  static func initial<T: InterpreterNumber>() -> T { T.lowest }
  static func join<T: InterpreterNumber>(_ a: T, _ b: T) -> T { T.larger(a, b) }
}

func reduced<F: Fold>(_ operand: Tensor, _ axes: [Int], by fold: F.Type) -> Tensor {
  switch operand.storage {
  case .float32(let values): reduced(values, operand.shape, axes, by: fold)
  case .float64(let values): reduced(values, operand.shape, axes, by: fold)
  case .int32(let values): reduced(values, operand.shape, axes, by: fold)
  case .int64(let values): reduced(values, operand.shape, axes, by: fold)
  case .bool: preconditionFailure("reduction of bools")
  }
}

private func reduced<T: InterpreterNumber, F: Fold>(
  _ values: [T], _ shape: Shape, _ axes: [Int], by fold: F.Type
) -> Tensor {
  let kept = shape.removing(axes)
  var result = [T](repeating: F.initial(), count: kept.count)
  var targetStrides = [Int](repeating: 0, count: shape.rank)
  for (axis, stride) in zip(shape.dimensions.indices.filter { !axes.contains($0) }, kept.strides) {
    targetStrides[axis] = stride
  }
  let sourceStrides = shape.strides
  let length = shape.dimensions.last ?? 1
  let lastIsReduced = axes.contains(shape.rank - 1)
  func visit(
    _ axis: Int, _ source: UnsafePointer<T>, _ target: UnsafeMutablePointer<T>
  ) {
    if axis < shape.rank - 1 {
      for i in 0..<shape[axis] {
        visit(axis + 1, source + i * sourceStrides[axis], target + i * targetStrides[axis])
      }
    } else if lastIsReduced {
      target.pointee = F.join(target.pointee, folded(source, length, by: fold))
    } else {
      for i in 0..<length { target[i] = F.join(target[i], source[i]) }
    }
  }
  values.withUnsafeBufferPointer { values in
    result.withUnsafeMutableBufferPointer { result in
      guard !values.isEmpty, let source = values.baseAddress, let target = result.baseAddress
      else { return }
      visit(0, source, target)
    }
  }
  return Tensor(T.storage(result), shape: kept)
}

/// By halves, so that rounding grows with the logarithm of the length.
private func folded<T: InterpreterNumber, F: Fold>(
  _ values: UnsafePointer<T>, _ count: Int, by fold: F.Type
) -> T {
  guard count > 128 else {
    var result: T = F.initial()
    for i in 0..<count { result = F.join(result, values[i]) }
    return result
  }
  let half = count / 2
  return F.join(
    folded(values, half, by: fold), folded(values + half, count - half, by: fold))
}
