import Foundation
import LinearMaps

/// A symmetric matrix drawn from a seed: what eigensolvers must survive.
public struct RandomSpectrum: Sendable {
  public enum Family: String, CaseIterable, Sendable {
    case wishart, orthogonalEnsemble, spiked, clustered, geometric, lowRank, zero, copies
  }

  public let family: Family
  public let dimension: Int
  /// Full, column-major.
  public let matrix: [Double]
  /// How often the outermost eigenvalues are repeated, by construction.
  public let copies: Int

  /// The matrix number `index`, of 5 to `largest` rows, small ones more often.
  public init(index: Int, largest: Int = 400) {
    var generator = SeededGenerator(seed: 0x5EED_0000 + UInt64(index))
    let share = generator.nextUniform()
    let n = Int(5 * pow(Double(largest + 1) / 5, share))
    family = Family.allCases[index % Family.allCases.count]
    dimension = n
    func normals(_ count: Int) -> [Double] { (0..<count).map { _ in generator.nextNormal() } }
    func uniforms() -> [Double] { (0..<n).map { _ in generator.nextUniform() } }
    var copies = 1
    switch family {
    case .wishart:
      let samples = n / 2 + Int(generator.nextUniform() * 2 * Double(n)) + 1
      let x = normals(samples * n)
      var a = [Double](repeating: 0, count: n * n)
      Double.gemm(
        transposedA: true, transposedB: false, m: n, n: n, k: samples, alpha: 1 / Double(samples),
        x, lda: samples, x, ldb: samples, beta: 0, &a, ldc: n)
      matrix = Self.symmetrized(a, n)
    case .orthogonalEnsemble:
      matrix = Self.symmetrized(normals(n * n), n)
    case .spiked:
      var values = uniforms()
      for i in 0..<min(3, n / 2) {
        values[i] = 1 + generator.nextUniform() * generator.nextUniform()
      }
      values[n - 1] = -0.3 * generator.nextUniform()
      matrix = Self.rotated(values, &generator)
    case .clustered:
      let values = uniforms().enumerated().map { $0 % 2 == 0 ? 1 - 1e-9 * Double($0) : $1 }
      matrix = Self.rotated(values, &generator)
    case .geometric:
      let ratio = 0.3 + 0.65 * generator.nextUniform()
      matrix = Self.rotated((0..<n).map { 2 * pow(ratio, Double($0)) }, &generator)
    case .lowRank:
      let rank = 1 + Int(generator.nextUniform() * 4)
      var values = normals(rank)
      values += [Double](repeating: 0, count: n - rank)
      matrix = Self.rotated(values, &generator)
    case .zero:
      matrix = [Double](repeating: 0, count: n * n)
      copies = n
    case .copies:
      copies = min(2 + index / Family.allCases.count % 3, n / 3 + 1)
      var values = uniforms()
      for i in 0..<copies { (values[i], values[n - 1 - i]) = (1.1, -0.2) }
      matrix = Self.rotated(values, &generator)
    }
    self.copies = copies
  }

  /// `Q diag(values) Q'` for a random product `Q` of three Householder reflections.
  static func rotated(_ values: [Double], _ generator: inout SeededGenerator) -> [Double] {
    let n = values.count
    var a = [Double](repeating: 0, count: n * n)
    for i in 0..<n { a[i * n + i] = values[i] }
    var product = [Double](repeating: 0, count: n)
    for _ in 0..<3 {
      let u = generator.unitSphere(n, as: Double.self)
      // H A H with H = I - 2uu': A - 2u(Au)' - 2(Au)u' + 4(u'Au)uu'.
      Double.gemv(
        transposed: false, rows: n, columns: n, alpha: 1, a, lda: n, u, beta: 0, &product)
      let curvature = Double.dot(n, u, product)
      for j in 0..<n {
        for i in 0..<n {
          a[j * n + i] -=
            2 * (u[i] * (product[j] - curvature * u[j]) + (product[i] - curvature * u[i]) * u[j])
        }
      }
    }
    return symmetrized(a, n)
  }

  private static func symmetrized(_ a: [Double], _ n: Int) -> [Double] {
    (0..<n * n).map { 0.5 * (a[$0] + a[$0 % n * n + $0 / n]) }
  }
}
