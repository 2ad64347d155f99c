/// A linear map written out as a dense matrix: `A e_1 ... A e_n`, symmetrised.
public struct DenseAssembly: Codable, Sendable {
  public let dimension: Int
  /// `(A + A')/2`, column-major.
  public let columns: [Double]
  /// `max |A - A'|` before symmetrising: what rounding (or a map that is not symmetric) leaves.
  public let asymmetry: Double
  public let operatorApplications: Int
}

/// Assembles the matrix of a map from its products with the unit vectors, in blocks.
///
/// Costs `n` products and `n²` doubles. Throws what the map throws, `nonFiniteProduct` and `tooLarge`.
public func assembleDense<Map: LinearMap>(_ map: Map, blockColumns: Int = 32) throws
  -> DenseAssembly
{
  let n = map.dimension
  let width = max(1, min(blockColumns, n))
  var columns = [Double](repeating: 0, count: n * n)
  var units = [Map.Scalar](repeating: 0, count: n * width)
  var products = [Map.Scalar](repeating: 0, count: n * width)
  for start in stride(from: 0, to: n, by: width) {
    let count = min(width, n - start)
    for column in 0..<count { units[column * n + start + column] = 1 }
    try products.withUnsafeMutableBufferPointer { y in
      try units.withUnsafeBufferPointer { x in
        try map.apply(columns: count, x.baseAddress!, into: y.baseAddress!)
      }
    }
    for column in 0..<count { units[column * n + start + column] = 0 }
    if let index = Map.Scalar.firstNonFinite(n * count, products) {
      throw LinearMapError.nonFiniteProduct(application: start + index / n + 1, index: index % n)
    }
    try Map.Scalar.requireModest(
      products.prefix(n * count).reduce(0) { Swift.max($0, Double(abs($1))) })
    columns.withUnsafeMutableBufferPointer { target in
      products.withUnsafeBufferPointer { source in
        for index in 0..<n * count { target[start * n + index] = Double(source[index]) }
      }
    }
  }
  let asymmetry = symmetrize(&columns, dimension: n)
  return DenseAssembly(
    dimension: n, columns: columns, asymmetry: asymmetry, operatorApplications: n)
}

private func symmetrize(_ matrix: inout [Double], dimension n: Int) -> Double {
  matrix.withUnsafeMutableBufferPointer { a in
    var asymmetry = 0.0
    for column in 0..<n {
      for row in 0..<column {
        let upper = a[column * n + row]
        let lower = a[row * n + column]
        asymmetry = max(asymmetry, abs(upper - lower))
        let mean = 0.5 * upper + 0.5 * lower
        a[column * n + row] = mean
        a[row * n + column] = mean
      }
    }
    return asymmetry
  }
}
