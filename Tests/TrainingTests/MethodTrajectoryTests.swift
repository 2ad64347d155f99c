import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

/// Trajectories of methods with inner iterations against short transcriptions of their papers, and what exact
/// theory says of quadratics.
@Suite struct MethodTrajectoryTests {
  static func method(_ name: String) throws -> any IterativeMethod {
    name == "nystrom-newton-cg"
      ? NystromNewtonCG(damping: 1e-4, rank: 3, period: 4, residual: 1e-3)
      : try MethodCatalogue.entry(name).make()
  }

  @Test(arguments: methodTrajectories.indices) func followsThePaper(_ index: Int) throws {
    let row = methodTrajectories[index]
    let loss = try MoreGarbowHillstromTests.objective(row.problem)
    let run = try Self.method(row.method).start(loss, from: row.path[0])
    for (step, expected) in row.path.enumerated() {
      let distance = relativeDistance(run.parameters, expected)
      #expect(distance < 1e-10, "\(row.method) on \(row.problem), step \(step): \(distance)")
      if step < row.path.count - 1 { #expect(try run.step().ending == nil) }
    }
    #expect(try run.step().ending?.reason == .converged)
    #expect(run.stepCount == row.path.count - 1)
  }

  /// `f = x'Hx/2 - b'x` of a dense matrix with some distinct eigenvalues, each several times, in directions of its
  /// own.
  struct Bowl {
    let matrix: [Double]
    let right: [Double]
    let n: Int

    init(_ distinct: [Double], n: Int, seed: UInt64) throws {
      var generator = SeededGenerator(seed: seed)
      var random = (0..<n * n).map { _ in generator.nextNormal() }
      for column in 0..<n {
        for row in 0..<column { random[column * n + row] = random[row * n + column] }
      }
      let basis = try SymmetricEigensystem(columnMajor: random, dimension: n)
      var matrix = [Double](repeating: 0, count: n * n)
      for k in 0..<n {
        let q = basis.vector(k)
        for column in 0..<n {
          for row in 0..<n {
            matrix[column * n + row] += distinct[k % distinct.count] * (q[row] * q[column])
          }
        }
      }
      self.matrix = matrix
      self.n = n
      right = generator.unitSphere(n)
    }

    func product(_ x: [Double]) -> [Double] {
      (0..<n).map { row in (0..<n).reduce(0) { $0 + matrix[$1 * n + row] * x[$1] } }
    }

    var loss: ClosureLoss<Double> {
      ClosureLoss(
        LossClosures(
          parameters: [.init("x", Shape([n]))], value: { value($0).0 },
          valueAndGradient: { value($0) }, hessianProduct: { product($1) }))
    }

    private func value(_ x: [Double]) -> (Double, [Double]) {
      let image = product(x)
      let value = (0..<n).reduce(0) { $0 + x[$1] * (image[$1] / 2 - right[$1]) }
      return (value, zip(image, right).map { $0 - $1 })
    }
  }

  /// In exact arithmetic all end in as many steps as there are distinct eigenvalues; one more is allowed. The
  /// eigenvalues are 1 to 1000, equally far from each other.
  @Test(arguments: [1, 2, 3, 5, 8, 10, 20], [UInt64(1), 2, 3])
  func endsWithTheDistinctEigenvalues(_ count: Int, _ seed: UInt64) throws {
    try ends(
      (0..<count).map { 1 + 999 * Double($0) / Double(max(1, count - 1)) }, seed,
      [
        LBFGS(pairs: 20, curvature: 0, tolerance: 0),
        DenseQuasiNewton(.bfgs, curvature: 0, tolerance: 0),
        DenseQuasiNewton(.selfScaledBroyden, curvature: 0, tolerance: 0),
      ])
  }

  /// The same in equal ratios. From eight on the steps in float64 are one to four more, for any program:
  /// the first ones amplify the rounding of the small eigenvalues' part.
  @Test(arguments: [2, 3, 5], [UInt64(1), 2, 3])
  func endsWithTheDistinctEigenvaluesInRatios(_ count: Int, _ seed: UInt64) throws {
    try ends(
      (0..<count).map { pow(1000, Double($0) / Double(count - 1)) }, seed,
      [LBFGS(pairs: 20, curvature: 0, tolerance: 0)])
  }

  private func ends(
    _ distinct: [Double], _ seed: UInt64, _ methods: [any IterativeMethod]
  ) throws {
    let count = distinct.count
    let bowl = try Bowl(distinct, n: 40, seed: seed)
    let solved = try conjugateGradients(
      DenseSymmetricMap(columnMajor: bowl.matrix, dimension: 40), rhs: bowl.right,
      tolerance: 1e-10, maxIterations: 100)
    #expect(solved.convergence.isConverged && solved.iterations <= count + 1)

    for method in methods {
      let run = try method.start(bowl.loss, from: [Double](repeating: 0, count: 40))
      let first = try run.step().gradientNorm
      #expect(abs(first - 1) < 1e-12)
      while run.stepCount <= count + 1 {
        let residual = norm(zip(bowl.product(run.parameters), bowl.right).map { $0 - $1 })
        if residual <= 1e-10 { break }
        let report = try run.step()
        if let ending = report.ending {
          Issue.record("\(method.name) ended after \(run.stepCount) steps: \(ending.sentence)")
          break
        }
      }
      #expect(run.stepCount <= count + 1, "\(method.name) took \(run.stepCount) steps for \(count)")
    }
  }

  /// The whole path of L-BFGS under an exact search is that of conjugate gradients.
  @Test func exactSearchFollowsConjugateGradients() throws {
    let bowl = try Bowl([1, 3, 10, 30], n: 12, seed: 9)
    let run = try LBFGS(curvature: 0).start(bowl.loss, from: [Double](repeating: 0, count: 12))
    for step in 1...3 {
      try run.step()
      let solved = try conjugateGradients(
        DenseSymmetricMap(columnMajor: bowl.matrix, dimension: 12), rhs: bowl.right,
        tolerance: 1e-14, maxIterations: step)
      #expect(relativeDistance(run.parameters, solved.solution) < 1e-10)
    }
  }
}
