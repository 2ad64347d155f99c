/// The diagonal of a map from its products with the unit vectors: exact, for `dimension` products.
///
/// Throws what the map throws, and `nonFiniteProduct`.
public func exactDiagonal<Map: LinearMap>(of map: Map, blockColumns: Int = 32) throws -> [Double] {
  let n = map.dimension
  let width = max(1, min(blockColumns, n))
  var units = [Map.Scalar](repeating: 0, count: n * width)
  var products = units
  var diagonal: [Double] = []
  for start in stride(from: 0, to: n, by: width) {
    let count = min(width, n - start)
    for column in 0..<count { units[column * n + start + column] = 1 }
    try products.withUnsafeMutableBufferPointer {
      try map.apply(columns: count, units, into: $0.baseAddress!)
    }
    for column in 0..<count { units[column * n + start + column] = 0 }
    if let index = Map.Scalar.firstNonFinite(n * count, products) {
      throw LinearMapError.nonFiniteProduct(application: start + index / n + 1, index: index % n)
    }
    diagonal += (0..<count).map { Double(products[$0 * n + start + $0]) }
  }
  return diagonal
}
