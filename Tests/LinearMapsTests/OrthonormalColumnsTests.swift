import Testing

@testable import LinearMaps

@Suite struct OrthonormalColumnsTests {
  /// `X = Q R` with `Q'Q = I`, for columns nearly in the span of the earlier ones, tiny and huge ones.
  @Test func columnsAreFactored() {
    var generator = SeededGenerator(seed: 17)
    let n = 30
    let first = TestMatrices.normals(n, &generator)
    let second = TestMatrices.normals(n, &generator)
    let near = zip(first, second).map { $0 - 3 * $1 + 1e-9 * generator.nextNormal() }
    let columns = [
      first, second, near, TestMatrices.normals(n, &generator).map { 1e-200 * $0 },
      TestMatrices.normals(n, &generator).map { 1e200 * $0 },
    ]
    var q = OrthonormalColumns<Double>(dimension: n)
    for column in columns {
      let size = Double.nrm2(n, column)
      let part = q.append(column, level: 1e-14 * size)
      #expect(part.isNew && part.coefficients.count == q.count - 1)
      let sums = (0..<n).map { row in
        (part.coefficients + [part.norm]).enumerated()
          .reduce(0) { $0 + $1.element * q.column($1.offset)[row] }
      }
      #expect(Double.nrm2(n, zip(sums, column).map { $0 - $1 }) <= 8e-15 * size)
    }
    for i in 0..<q.count {
      for j in 0...i {
        #expect(abs(Double.dot(n, q.column(i), q.column(j)) - (i == j ? 1 : 0)) < 1e-14)
      }
    }
  }

  /// What the columns span leaves nothing, and says by how much of each it is made.
  @Test func dependentColumnsAddNothing() {
    var q = OrthonormalColumns<Float>(dimension: 3)
    let vectors: [[Float]] = [[0, 2, 0], [0, -5, 0], [0, 0, 0], [0, .infinity, 0]]
    let areNew = vectors.map { q.append($0) }
    #expect(areNew == [true, false, false, false])
    let part = q.append([0, 3, 1e-3], level: 1e-2)
    #expect(!part.isNew && abs(part.coefficients[0] - 3) < 1e-6)
    #expect(abs(part.norm - 1e-3) < 1e-6)
    #expect(q.count == 1)
  }
}
