/// Orthonormal columns `V` with their products `A V`, and the Rayleigh-Ritz pairs they give: the
/// residuals are those of the map itself, however the columns came about.
struct RitzSubspace<Map: LinearMap> {
  typealias Scalar = Map.Scalar

  let map: Map
  /// Columns held at most.
  let capacity: Int
  private(set) var columns: OrthonormalColumns<Scalar>
  private(set) var images: [Scalar] = []
  /// Ascending Ritz values, and the rotation that belongs to them.
  private(set) var values: [Double] = []
  private var rotation: [Double] = []
  private var projected: [[Double]] = []

  var count: Int { columns.count }

  init(_ map: Map, capacity: Int) {
    self.map = map
    self.capacity = min(capacity, map.dimension)
    columns = OrthonormalColumns(dimension: map.dimension, capacity: self.capacity)
  }

  /// Adds what is new in the columns of a block, one product each; says how many that were.
  mutating func append(_ block: [[Scalar]]) throws -> Int {
    let n = map.dimension
    let before = count
    for vector in block where count < capacity { _ = columns.append(vector) }
    let added = count - before
    guard added > 0 else { return 0 }
    images += try map.block(Array(columns.entries[before * n..<count * n]))
    for j in before..<count {
      let row = columns.entries.withUnsafeBufferPointer { v in
        images.withUnsafeBufferPointer { w in
          (0...j).map {
            0.5 * Scalar.dot(n, v.baseAddress! + $0 * n, w.baseAddress! + j * n)
              + 0.5 * Scalar.dot(n, v.baseAddress! + j * n, w.baseAddress! + $0 * n)
          }
        }
      }
      projected.append(row)
    }
    let s = count
    var h = [Double](repeating: 0, count: s * s)
    for j in 0..<s {
      for i in 0...j {
        h[j * s + i] = projected[j][i]
        h[i * s + j] = projected[j][i]
      }
    }
    let eigensystem = try SymmetricEigensystem(columnMajor: h, dimension: s)
    values = eigensystem.values
    rotation = eigensystem.vectors
    return added
  }

  /// The Ritz vector of `values[index]`.
  func vector(_ index: Int) -> [Scalar] { combination(columns.entries, index) }

  /// `A v - theta v` of the pair, from the stored products.
  func residual(_ index: Int) -> [Scalar] {
    var r = combination(images, index)
    Scalar.axpy(map.dimension, Scalar(-values[index]), vector(index), &r)
    return r
  }

  func residualNorm(_ index: Int) -> Double { Scalar.nrm2(map.dimension, residual(index)) }

  /// Keeps the span of the `kept` lowest Ritz vectors, without a product.
  mutating func shrink(to kept: Int) {
    let n = map.dimension
    let coefficients = rotation[0..<kept * count].map { Scalar($0) }
    columns = OrthonormalColumns(
      orthonormal: matrixProduct(columns.entries, rows: n, coefficients, columns: kept),
      dimension: n)
    images = matrixProduct(images, rows: n, coefficients, columns: kept)
    values = Array(values[0..<kept])
    projected = (0..<kept).map { j in (0...j).map { $0 == j ? values[j] : 0 } }
    rotation = [Double](repeating: 0, count: kept * kept)
    for j in 0..<kept { rotation[j * kept + j] = 1 }
  }

  private func combination(_ matrix: [Scalar], _ index: Int) -> [Scalar] {
    matrixProduct(
      matrix, rows: map.dimension,
      rotation[index * count..<(index + 1) * count].map { Scalar($0) }, columns: 1)
  }
}
