import TensorPrograms

extension Tensor {
  /// Index and value of the first NaN or infinity in row-major order; nil where there is none, as in
  /// any integer or bool tensor.
  public var firstNonFinite: (index: [Int], value: Double)? {
    let found: (Int, Double)?
    switch storage {
    case .float32(let values):
      found = values.firstIndex { !$0.isFinite }.map { ($0, Double(values[$0])) }
    case .float64(let values): found = values.firstIndex { !$0.isFinite }.map { ($0, values[$0]) }
    case .int32, .int64, .bool: found = nil
    }
    guard let (position, value) = found else { return nil }
    return (zip(shape.strides, shape.dimensions).map { position / $0 % $1 }, value)
  }
}

extension TensorSource {
  /// Throws an `ArrayFileError` that names the first NaN or infinity of `tensor`, which was read from
  /// the array `key`; `firstRow` is the array's row that the tensor begins with.
  public func checkFinite(_ tensor: Tensor, of key: String, firstRow: Int = 0) throws {
    guard let (found, value) = tensor.firstNonFinite else { return }
    var index = found
    if !index.isEmpty { index[0] += firstRow }
    throw ArrayFileError(
      "\(value.isNaN ? "NaN" : value < 0 ? "-infinity" : "infinity") where a number must be; replace "
        + "it or leave the sample out.", path: path, key: key, index: index)
  }
}
