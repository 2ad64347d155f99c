import LinearMaps
import Testing

@testable import Training

/// The few products of a warm look, against the projection of the matrix to their space, made by hand.
@Suite struct WarmSharpnessBasisTests {
  private static let size = 40

  /// Symmetric, with entries of every size.
  private static let matrix: [Double] = {
    var generator = SeededGenerator(seed: 3)
    var rows = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0...i {
        let value = generator.nextNormal() + (i == j ? Double(i) / 4 : 0)
        (rows[i * size + j], rows[j * size + i]) = (value, value)
      }
    }
    return rows
  }()

  private func product(_ x: [Double]) -> [Double] {
    (0..<Self.size).map { row in
      (0..<Self.size).reduce(0) { $0 + Self.matrix[row * Self.size + $1] * x[$1] }
    }
  }

  private func dot(_ x: [Double], _ y: [Double]) -> Double {
    zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
  }

  @Test(arguments: [1, 2, 3, 4, 7])
  func `ends at the largest Ritz pair of its space`(products: Int) throws {
    let map = ClosureMap<Double>(dimension: Self.size) { x, y in
      let image = product(Array(UnsafeBufferPointer(start: x, count: Self.size)))
      for index in 0..<Self.size { y[index] = image[index] }
    }
    var generator = SeededGenerator(seed: 8)
    let start = (0..<Self.size).map { _ in generator.nextNormal() }
    var search = WarmSharpness()
    (search.tolerance, search.productLimit, search.noise) = (0, products, 0)
    let found = try search(of: map, start: start, seed: 1)
    #expect(found.products == products)
    // An orthonormal basis of the start and its images, by Gram and Schmidt, twice.
    var basis: [[Double]] = []
    var next = start
    for _ in 0..<products {
      for _ in 0..<2 {
        for vector in basis {
          let part = dot(vector, next)
          next = zip(next, vector).map { $0 - part * $1 }
        }
      }
      let norm = dot(next, next).squareRoot()
      basis.append(next.map { $0 / norm })
      next = product(basis.last!)
    }
    let images = basis.map(product)
    var projection = [Double](repeating: 0, count: products * products)
    for i in 0..<products {
      for j in 0..<products { projection[i * products + j] = dot(basis[i], images[j]) }
    }
    let top = try SymmetricEigensystem(columnMajor: projection, dimension: products).values.last!
    #expect(abs(found.value - top) < 1e-11 * abs(top))
    let vector = found.vector
    let residual = zip(product(vector), vector).map { $0 - found.value * $1 }
    #expect(abs(dot(residual, residual).squareRoot() - found.residual) < 1e-9 * abs(top))
    #expect(abs(dot(vector, vector) - 1) < 1e-12)
    if products > 1 {
      // A fiftieth of the second Ritz vector beside the first.
      let rest = zip(found.next, vector).map { $0 - $1 }
      #expect(abs(dot(rest, rest).squareRoot() - 0.02) < 1e-12 && abs(dot(rest, vector)) < 1e-12)
    }
  }
}
