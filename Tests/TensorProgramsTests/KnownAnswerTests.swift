import PrimitiveTable
import Testing
import TensorPrograms

/// Loss, gradient and Hessian of three networks against 50-digit arithmetic.
@Suite struct KnownAnswerTests {
  static let cases: [(KnownAnswerNetwork, ElementType)] = KnownAnswerNetwork.all.flatMap {
    [($0, .float64), ($0, .float32)]
  }

  @Test(arguments: cases)
  func derivatives(_ network: KnownAnswerNetwork, _ element: ElementType) throws {
    let tolerance = element == .float64 ? 1e-11 : 1e-4
    let program = try network.program(element)
    let all = Array(program.inputs.indices)
    let parameters = network.parameters(element)
    let gradient = try interpret(try program.gradient(withRespectTo: all), parameters)
    #expect(relative(gradient[0].doubles, [network.loss]) < tolerance)
    #expect(relative(Array(gradient.dropFirst()).numbers, network.gradient) < tolerance)

    let product = try program.hessianProduct(withRespectTo: all)
    let residuals = try product.residuals(parameters)
    func apply(_ v: [Double]) throws -> [Double] {
      try interpret(product.linear, residuals + network.unflattened(v, element)).numbers
    }
    let n = network.gradient.count
    if let expected = network.hessianProduct {
      let signs = (0..<n).map { $0 % 2 == 0 ? 1.0 : -1 }
      let image = try apply(signs)
      #expect(relative(image, expected) < tolerance)
    }
    let curvature = inner(network.gradient, try apply(network.gradient))
    #expect(relative([curvature], [network.gradientCurvature]) < tolerance)

    let hessian = try (0..<n).map { column in try apply((0..<n).map { $0 == column ? 1 : 0 }) }
    for i in 0..<n {
      for j in 0..<n { #expect(abs(hessian[i][j] - hessian[j][i]) < tolerance) }
    }
    #expect(relative([(0..<n).map { hessian[$0][$0] }.reduce(0, +)], [network.trace]) < tolerance)
    let squares = hessian.flatMap { $0 }.map { $0 * $0 }.reduce(0, +)
    #expect(relative([squares.squareRoot()], [network.frobeniusNorm]) < tolerance)
    #expect(relative(jacobiEigenvalues(hessian), network.eigenvalues) < tolerance)
  }

  /// The largest difference, relative to the largest magnitude.
  private func relative(_ a: [Double], _ b: [Double]) -> Double {
    let scale = b.map(\.magnitude).max()!
    return a.count == b.count
      ? zip(a, b).map { ($0 - $1).magnitude }.max()! / scale : .infinity
  }

  /// Cyclic Jacobi rotations; ascending.
  private func jacobiEigenvalues(_ matrix: [[Double]]) -> [Double] {
    var a = matrix
    let n = a.count
    for _ in 0..<30 {
      for p in 0..<n {
        for q in p..<n where q > p && a[p][q] != 0 {
          let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
          let sign: Double = theta < 0 ? -1 : 1
          let t = sign / (abs(theta) + (theta * theta + 1).squareRoot())
          let c = 1 / (t * t + 1).squareRoot()
          let s = t * c
          for k in 0..<n {
            (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q])
          }
          for k in 0..<n {
            (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k])
          }
        }
      }
    }
    return (0..<n).map { a[$0][$0] }.sorted()
  }
}
