import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// Runs on quadratics against powers of the companion matrix of each mode.
@Suite struct CompanionMatrixTests {
  /// `e_{k+1} = trace e_k - determinant e_{k-1}`.
  struct Companion {
    let trace: Double
    let determinant: Double
    let first: Double

    init(_ optimizer: String, momentum b: Double, product m: Double) {
      switch optimizer {
      case "nesterov":
        (trace, determinant, first) = ((1 + b) * (1 - m), b * (1 - m), 1 - (1 + b) * m)
      case "momentum": (trace, determinant, first) = (1 + b - m, b, 1 - m)
      default: (trace, determinant, first) = (1 - m, 0, 1 - m)
      }
    }

    /// `M^k (e_1, e_0)`, by squarings of the matrix, each entry of the errors from 0 on.
    func course(_ steps: Int) -> [Double] {
      [1]
        + (0..<steps).map { k in
          var (power, square, rest) = ([1.0, 0, 0, 1], [trace, -determinant, 1, 0], k)
          while rest > 0 {
            if rest & 1 == 1 { power = Self.product(square, power) }
            square = Self.product(square, square)
            rest >>= 1
          }
          return power[0] * first + power[1]
        }
    }

    private static func product(_ a: [Double], _ b: [Double]) -> [Double] {
      [
        a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
      ]
    }
  }

  static let eigenvalues = [0.01, 0.3, 1, 4, 9.5, 20]

  struct Case: Sendable, CustomStringConvertible {
    let optimizer: String
    let momentum: Double
    /// The rate over the limit of the sharpest direction.
    let times: Double
    var description: String { "\(optimizer) \(momentum) at \(times) of the limit" }

    func make() throws -> any Optimizer {
      try OptimizerSetting(optimizer, optimizer == "gd" ? [:] : ["momentum": momentum]).make()
    }
  }

  static let cases: [Case] = {
    let times = [0.05, 0.3, 0.5, 0.8, 0.97, 1.01]
    return times.map { Case(optimizer: "gd", momentum: 0, times: $0) }
      + [0.3, 0.5, 0.9, 0.99].flatMap { b in
        ["momentum", "nesterov"].flatMap { name in
          times.map { Case(optimizer: name, momentum: b, times: $0) }
        }
      }
  }()

  /// Every mode of a full matrix, `A = Q diag Q'` with a reflection `Q`, over 300 steps.
  @Test(arguments: cases)
  func everyModeIsAPower(_ row: Case) throws {
    let n = Self.eigenvalues.count
    let normal = (1...n).map { Double($0) }
    let square = normal.reduce(0) { $0 + $1 * $1 }
    var q = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
    var matrix = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0..<n { q[i][j] = (i == j ? 1 : 0) - 2 * normal[i] * normal[j] / square }
    }
    for i in 0..<n {
      for j in 0..<n {
        for k in 0..<n { matrix[i * n + j] += q[i][k] * Self.eigenvalues[k] * q[j][k] }
      }
    }
    let tensor = Tensor(matrix, shape: [n, n])
    let definition = LossDefinition(parameters: [.init("x", [n])]) { p, _ in
      let a = p[0].builder.constant(tensor)
      return (a.matmul(p[0]) * p[0]).sum() * 0.5
    }
    let loss = try Objective<Double>(definition, data: [], executor: ReferenceExecutor())
    let optimizer = try row.make()
    let rule = try #require(optimizer.stability)
    let rate = row.times * (try #require(rule.limit(curvature: Self.eigenvalues[n - 1])))
    // Equal parts of all modes.
    let start = q.map { $0.reduce(0, +) }
    let run = try TrainingRun(loss, optimizer, rate: rate, from: start)
    var modes = [[Double]](repeating: [], count: n)
    for _ in 0...300 {
      try run.step()
      let point = run.evaluatedParameters
      for mode in 0..<n {
        var part = 0.0
        for index in 0..<n { part += q[index][mode] * point[index] }
        modes[mode].append(part)
      }
    }
    for (mode, eigenvalue) in Self.eigenvalues.enumerated() {
      let course = Companion(row.optimizer, momentum: row.momentum, product: rate * eigenvalue)
        .course(300)
      // Rounding of the point as a whole comes into each mode.
      let all = modes.flatMap { $0 }.reduce(0) { max($0, abs($1)) }
      let largest = max(course.reduce(0) { max($0, abs($1)) }, 1e-3 * all)
      for step in 0...300 {
        #expect(
          abs(modes[mode][step] - course[step]) <= 1e-10 * largest,
          "\(row), curvature \(eigenvalue), step \(step): \(modes[mode][step]), \(course[step])")
      }
    }
  }

  /// The factor per step is the companion matrix's spectral radius; where its eigenvalues are real their larger
  /// magnitude from the roots' sum and product, else the root of the determinant.
  @Test(arguments: cases)
  func spectralRadius(_ row: Case) throws {
    let optimizer = try row.make()
    let limit = try #require(optimizer.stability).criticalProduct
    for share in [1e-4, 0.01, 0.1, 0.25, 0.4, 0.6, 0.77, 0.9, 0.99, 0.9999, 1, 1.0001, 1.3, 5] {
      let product = share * row.times * limit
      let companion = Companion(row.optimizer, momentum: row.momentum, product: product)
      let (t, d) = (companion.trace, companion.determinant)
      let discriminant = t * t - 4 * d
      // A double root has half the digits of its coefficients: not to be told by this formula.
      guard abs(discriminant) > 1e-6 * max(t * t, abs(d)) else { continue }
      let radius =
        discriminant < 0
        ? d.squareRoot() : (abs(t) + discriminant.squareRoot()) / 2
      let factor = try #require(optimizer.stepFactor(rate: 1, eigenvalue: product))
      #expect(
        abs(abs(factor.perStep) - radius) <= 1e-12 * max(1, radius),
        "\(row) \(share): \(factor.perStep), \(radius)")
    }
  }
}
