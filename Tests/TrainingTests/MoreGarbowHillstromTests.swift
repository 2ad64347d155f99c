import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

/// Methods with inner iterations on the 35 problems of More, Garbow and Hillstrom, beside SciPy's.
@Suite struct MoreGarbowHillstromTests {
  /// A run to its end: the least loss, evaluations when it came close to a minimum and at the end, and why it
  /// ended. Evaluations are of the gradient at a point, and products with the curvature.
  struct Outcome {
    var loss: Double
    var solvedAt: Int?
    var total: Int
    var ending: StepEnding?
  }

  /// Notes the losses of all trials.
  final class WatchedLoss: Loss {
    let base: Objective<Double>
    let minima: [Double]
    var first: Double?
    var count = 0
    var solvedAt: Int?
    var least = Double.infinity

    init(_ base: Objective<Double>, minima: [Double]) {
      self.base = base
      self.minima = minima
    }

    var parameters: [LossDefinition.Parameter] { base.parameters }
    var sampleCount: Int { 1 }
    var executor: any Executor { base.executor }
    var hasModelOutput: Bool { base.hasModelOutput }
    var operations: Double { base.operations }
    func count(_ operations: Double) { base.count(operations) }
    func gradientOperations() throws -> Double { try base.gradientOperations() }
    func value(at point: [Double]) throws -> Double { try base.value(at: point) }

    func valueAndGradient(at point: [Double]) throws -> (value: Double, gradient: [Double]) {
      let result = try base.valueAndGradient(at: point)
      count += 1
      let start = first ?? result.value
      first = start
      if result.value < least { least = result.value }
      if solvedAt == nil, minima.contains(where: { result.value - $0 <= 1e-8 * (start - $0) }) {
        solvedAt = count
      }
      return result
    }

    func curvature(
      _ kind: CurvatureKind, at point: [Double], parameters: [Int]?, seed: UInt64
    ) throws -> CurvatureMap<Double> {
      try base.curvature(kind, at: point, parameters: parameters, seed: seed)
    }
  }

  static func objective(_ name: String) throws -> Objective<Double> {
    let problem = try #require(MoreGarbowHillstrom.named(name))
    return try Objective(problem.definition, data: [], executor: ReferenceExecutor())
  }

  static func run(_ method: any IterativeMethod, _ row: ScipyRun) throws -> Outcome {
    let loss = WatchedLoss(try objective(row.name), minima: row.minima)
    let run = try method.start(loss, from: MoreGarbowHillstrom.named(row.name)!.start)
    var outcome = Outcome(loss: .infinity, total: 0)
    var products = 0
    for _ in 0..<5000 {
      let wasSolved = loss.solvedAt != nil
      let report = try run.step()
      outcome.total += report.gradients + report.products
      products += report.products
      if !wasSolved, let count = loss.solvedAt { outcome.solvedAt = count + products }
      outcome.ending = report.ending
      if report.ending != nil { break }
    }
    outcome.loss = loss.least
    return outcome
  }

  @Test func lookAtAll() throws {
    let methods: [any IterativeMethod] = [
      LBFGS(), BFGS(), TrustRegionNewton(), SSBroyden(), LevenbergMarquardt(), NystromNewtonCG(),
    ]
    for (index, method) in methods.enumerated() {
      var totals = (0, 0, 0, 0)
      for row in scipyRuns {
        let ours = try Self.run(method, row)
        let theirs = row.runs[min(index, 2)]
        if theirs.solvedAt != nil {
          totals.0 += ours.solvedAt ?? 100_000
          totals.1 += theirs.solvedAt!
          totals.2 += ours.total
          totals.3 += theirs.total
        }
        print(
          "TABLE", method.name, row.name, ours.loss, ours.solvedAt ?? -1, ours.total,
          ours.ending?.reason.rawValue ?? "none", "|", theirs.loss, theirs.solvedAt ?? -1,
          theirs.total)
      }
      print("SUM", method.name, totals)
    }
  }

  /// Values, gradients and Hessian products at the starts against JAX's.
  @Test(arguments: scipyRuns.map(\.name)) func problemsAreThose(_ name: String) throws {
    let row = scipyRuns.first { $0.name == name }!
    let loss = try Self.objective(name)
    let start = MoreGarbowHillstrom.named(name)!.start
    let (value, gradient) = try loss.valueAndGradient(at: start)
    let product = try loss.hessian(at: start)(start.indices.map { cos(Double($0)) })
    #expect(abs(value - row.value) <= 1e-11 * row.value)
    #expect(relativeDistance(gradient, row.gradient) < 1e-10)
    #expect(relativeDistance(product, row.product) < 1e-10)
  }
}
