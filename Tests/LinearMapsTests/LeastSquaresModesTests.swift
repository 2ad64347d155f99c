import LinearMaps
import Testing

/// Against matrices whose singular values are known by construction, or as exact fractions.
@Suite struct LeastSquaresModesTests {
  private func modes(
    _ columns: [[Double]], minus b: [Double], at start: [Double]? = nil, scale: Double = 1
  ) -> LeastSquaresModes? {
    let start = start ?? [Double](repeating: 0, count: columns.count)
    var residual = b.map { DoubleDouble(-$0) }
    for (column, x) in zip(columns, start) {
      for row in residual.indices { residual[row] += DoubleDouble.product(column[row], x) }
    }
    return LeastSquaresModes(
      columns: columns.map { $0.map { DoubleDouble($0) } }, residual: residual, start: start,
      scale: scale)
  }

  @Test func doubleDoubleKeepsWhatADoubleLoses() {
    let tiny = 0x1p-80
    let sum = DoubleDouble(1) + DoubleDouble(tiny)
    #expect((sum - .one).value == tiny)
    let third = DoubleDouble(1) / DoubleDouble(3)
    #expect(abs((third * DoubleDouble(3) - .one).value) <= DoubleDouble.epsilon)
    let root = DoubleDouble(2).squareRoot()
    #expect(abs((root * root - DoubleDouble(2)).value) <= 4 * DoubleDouble.epsilon)
  }

  /// Orthogonal columns of any size: each is a direction, its eigenvalue the square of its length.
  @Test func orthogonalColumnsOfAllSizes() throws {
    let sizes = [1e60, 1e-50, 3, 1e-7]
    let signs: [[Double]] = [[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    let columns = zip(sizes, signs).map { size, row in row.map { $0 * size } }
    let found = try #require(modes(columns, minus: [1, 2, 3, 5], scale: 0.25))
    #expect(found.rank == 4)
    for (mode, size) in zip(found.modes, sizes.sorted(by: >)) {
      #expect(abs(mode.eigenvalue / (size * size) - 1) < 1e-15)
    }
    #expect(found.minimum < 1e-28)
  }

  /// `[1, t]` and `[1, 1 + h]`: the determinant `t h`-like products are exact however close the columns.
  @Test(arguments: [0x1p-10, 0x1p-30, 0x1p-50])
  func nearlyParallelColumns(h: Double) throws {
    // A = [[1, 1], [0, h]]: sigma_1 sigma_2 = h and sigma_1^2 + sigma_2^2 = 2 + h^2.
    let found = try #require(modes([[1, 0], [1, h]], minus: [0, 1]))
    #expect(found.rank == 2)
    let product = found.modes[0].eigenvalue * found.modes[1].eigenvalue
    #expect(abs(product / (h * h) - 1) < 1e-14)
    let sum = found.modes[0].eigenvalue + found.modes[1].eigenvalue
    #expect(abs(sum / (2 + h * h) - 1) < 1e-15)
    // b is in the span: all of 1/2 ||b||^2 can be gained, and the solution is (-1/h, 1/h).
    #expect(abs(found.initialGap - 0.5) < 1e-14)
    #expect(abs(found.minimiser[1] * h - 1) < 1e-14)
  }

  @Test func dependentColumnsAreExactlyFlat() throws {
    let a: [Double] = [1, 2, 3, 4, 5]
    let b: [Double] = [1e8, 1e8 + 1, 1e8 - 1, 1e8 + 2, 1e8]
    let found = try #require(
      modes([a, b, a, zip(a, b).map { $0 + $1 }, [0, 0, 0, 0, 0]], minus: [1, 0, 2, 0, 3]))
    #expect(found.rank == 2)
    #expect(found.eigenvalues.suffix(3) == [0, 0, 0])
    // More columns than rows.
    let wide = try #require(modes([[1, 0], [0, 1], [1, 1]], minus: [1, 2]))
    #expect(wide.rank == 2)
    #expect(wide.minimum == 0)
  }

  /// The gap at a point is the loss less the minimum; at the start it is what all modes can gain.
  @Test func gapsAtPoints() throws {
    let columns: [[Double]] = [[1, 2, 3, 4], [1, 1, 1, 1]]
    let b: [Double] = [1, 3, 2, 5]
    let start = [0.5, -1.0]
    let found = try #require(modes(columns, minus: b, at: start, scale: 0.25))
    func loss(_ x: [Double]) -> Double {
      (0..<4).reduce(0) { sum, row in
        let r = columns[0][row] * x[0] + columns[1][row] * x[1] - b[row]
        return sum + 0.125 * r * r
      }
    }
    // By the normal equations: slope 1.1, intercept 0, minimum 0.125 * 2.7.
    #expect(abs(found.minimum - 0.125 * 2.7) < 1e-15)
    #expect(abs(found.minimiser[0] - 1.1) < 1e-15 && abs(found.minimiser[1]) < 1e-15)
    for x in [start, [1.1, 0], [3, -2]] {
      #expect(abs(found.gap(at: x) - (loss(x) - found.minimum)) < 1e-14)
    }
    #expect(abs(found.initialGap - found.gap(at: start)) < 1e-14)
  }

  @Test func whatCannotBeSquaredIsRefused() {
    #expect(modes([[1e200, 1], [1, 1]], minus: [1, 1]) == nil)
    #expect(modes([[1e-200, 1e-200], [1, 1]], minus: [1, 1]) == nil)
    #expect(modes([[.infinity, 1], [1, 1]], minus: [1, 1]) == nil)
    #expect(modes([[.nan, 1], [1, 1]], minus: [1, 1]) == nil)
  }
}
