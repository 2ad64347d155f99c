import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

/// How runs of methods with inner iterations end where something is wrong.
@Suite struct MethodEndingTests {
  static let byGradients: [any IterativeMethod] = [
    LBFGS(), DenseQuasiNewton(.bfgs), DenseQuasiNewton(.selfScaledBroyden),
  ]
  /// With a region so large that its first step can leave where the loss is defined.
  static let newton: [any IterativeMethod] = [TrustRegionNewton(radius: 100), NystromNewtonCG()]
  static let all = byGradients + newton + [LevenbergMarquardt()]

  /// A loss of one number by closures; the curvature's size stands for the Gauss-Newton matrix.
  private func scalar(
    _ value: @escaping @Sendable (Double) -> Double,
    _ slope: @escaping @Sendable (Double) -> Double,
    _ curvature: @escaping @Sendable (Double) -> Double
  ) -> ClosureLoss<Double> {
    ClosureLoss(
      LossClosures(
        parameters: [.init("x", [1])], value: { value($0[0]) },
        valueAndGradient: { (value($0[0]), [slope($0[0])]) },
        hessianProduct: { [curvature($0[0]) * $1[0]] },
        gaussNewtonProduct: { [abs(curvature($0[0])) * $1[0]] }))
  }

  private func run<Scalar: LinearMapScalar>(
    _ method: any IterativeMethod, _ loss: any Loss<Scalar>, from start: [Scalar], limit: Int = 600
  ) throws -> (steps: any TrainingSteps<Scalar>, ending: StepEnding) {
    let steps = try method.start(loss, from: start)
    for _ in 0..<limit {
      if let ending = try steps.step().ending {
        // An ended run stays where it is, at no cost.
        let (parameters, count) = (steps.parameters, steps.stepCount)
        let again = try steps.step()
        #expect(again.ending == ending && again.gradients == 0 && again.products == 0)
        #expect(steps.parameters == parameters && steps.stepCount == count)
        return (steps, ending)
      }
    }
    Issue.record("\(method.name) took \(limit) steps")
    return (steps, StepEnding(.stalled, ""))
  }

  @Test func notFiniteAtTheStart() throws {
    for method in Self.all {
      let (a, nan) = try run(
        method, scalar({ log($0) }, { 1 / $0 }, { -1 / ($0 * $0) }), from: [-1])
      #expect(nan.reason == .nonFinite && a.parameters == [-1] && a.stepCount == 0)
      #expect(
        nan.sentence
          == "The loss at the start is NaN: no direction leads away from there; start where the loss is "
          + "finite, or use float64.")
      let (_, slope) = try run(
        method, scalar({ $0 * $0 }, { _ in .infinity }, { _ in 2 }), from: [1])
      #expect(slope.reason == .nonFinite)
      #expect(
        slope.sentence
          == "The gradient at the start is not finite, first for the parameter x: start elsewhere, or use "
          + "float64.")
    }
  }

  /// Trials that leave the domain of the loss are taken back.
  @Test func notFiniteOnTheWay() throws {
    let barrier = scalar(
      { -log($0) - log(1 - $0) }, { 1 / (1 - $0) - 1 / $0 },
      { 1 / ($0 * $0) + 1 / ((1 - $0) * (1 - $0)) })
    let half = scalar({ $0 - log($0) }, { 1 - 1 / $0 }, { 1 / ($0 * $0) })
    for method in Self.all {
      let (a, first) = try run(method, barrier, from: [0.9])
      #expect(first.reason == .converged && abs(a.parameters[0] - 0.5) < 1e-8, "\(method.name)")
      let (b, second) = try run(method, half, from: [5])
      #expect(second.reason == .converged && abs(b.parameters[0] - 1) < 1e-7, "\(method.name)")
    }
  }

  @Test func finiteAtOnePointOnly() throws {
    let point = scalar({ $0 == 2 ? 1 : .nan }, { _ in 1 }, { _ in 1 })
    for method in Self.all {
      let (steps, ending) = try run(method, point, from: [2])
      #expect(ending.reason == .nonFinite && steps.parameters == [2], "\(method.name)")
      #expect(
        ending.sentence.hasPrefix("Every point tried along the direction has a loss or gradient"))
    }
    let curvature = scalar({ $0 * $0 }, { 2 * $0 }, { _ in .nan })
    for method in Self.newton + [LevenbergMarquardt()] {
      let (steps, ending) = try run(method, curvature, from: [1])
      #expect(ending.reason == .nonFinite && steps.parameters == [1])
      #expect(ending.sentence.hasPrefix("A product with the curvature is not finite"))
    }
  }

  /// For a while nothing but NaN: the history is dropped, the gradient followed from the point before.
  @Test func historyIsDroppedWhereATrialIsNotFinite() throws {
    for method in Self.byGradients {
      let calls = Calls()
      let loss = ClosureLoss<Double>(
        LossClosures(
          parameters: [.init("x", [2])], value: Rosenbrock.value,
          valueAndGradient: { point in
            let isBroken = (20..<42).contains(calls.next())
            return (isBroken ? .nan : Rosenbrock.value(point), Rosenbrock.gradient(point))
          }, hessianProduct: { _, v in v }))
      let steps = try method.start(loss, from: Rosenbrock.start)
      var before = steps.parameters
      var report = try steps.step()
      while report.gradients < 15, report.ending == nil {
        before = steps.parameters
        report = try steps.step()
      }
      // The step that met the NaN went along the gradient.
      let gradient = Rosenbrock.gradient(before)
      let moved = zip(steps.parameters, before).map { $0 - $1 }
      let cosine = -(moved[0] * gradient[0] + moved[1] * gradient[1]) / norm(moved) / norm(gradient)
      #expect(report.ending == nil && abs(cosine - 1) < 1e-10, "\(method.name)")
      #expect(Rosenbrock.value(steps.parameters) < Rosenbrock.value(before))
      while report.ending == nil { report = try steps.step() }
      #expect(
        report.ending?.reason == .converged && relativeDistance(steps.parameters, [1, 1]) < 1e-7)
    }
  }

  private final class Calls: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0

    func next() -> Int {
      lock.withLock {
        count += 1
        return count
      }
    }
  }

  @Test func unbounded() throws {
    let line = scalar({ -$0 }, { _ in -1 }, { _ in 0 })
    let hill = scalar({ -$0 * $0 }, { -2 * $0 }, { _ in -2 })
    let cubic = scalar({ $0 * $0 * $0 }, { 3 * $0 * $0 }, { 6 * $0 })
    for method in Self.byGradients + [TrustRegionNewton()] {
      for (loss, start) in [(line, 0.0), (hill, 0.1), (cubic, -1)] {
        let (_, ending) = try run(method, loss, from: [start])
        #expect(ending.reason == .unbounded, "\(method.name): \(ending.sentence)")
        #expect(ending.sentence.contains("it seems to have no minimum"))
      }
    }
    #expect(try run(NystromNewtonCG(), hill, from: [0.1]).ending.reason == .unbounded)
    #expect(try run(LevenbergMarquardt(), line, from: [0]).ending.reason == .unbounded)
  }

  @Test func zeroGradientAtTheStart() throws {
    let definition = LossDefinition(parameters: [.init("x", [2])]) { p, _ in
      let square = p[0].square()
      return (square.slice(axis: 0, 0..<1) - square.slice(axis: 0, 1..<2)).sum()
    }
    for method in Self.byGradients + Self.newton {
      let saddle = try Objective<Double>(definition, data: [], executor: ReferenceExecutor())
      let (steps, ending) = try run(method, saddle, from: [0, 0])
      #expect(ending.reason == .converged && steps.parameters == [0, 0] && steps.stepCount == 0)
      #expect(
        ending.sentence
          == "The gradient is zero at the start: it is a minimum, a saddle or a maximum, which only the "
          + "curvature tells; if it is no minimum, start a little beside it.")
    }
  }

  /// `x^2/2 + y^4/4 - y^2/2`: a saddle at zero, minima at `y = 1` and `-1`.
  @Test func leavesASaddle() throws {
    let loss = ClosureLoss<Double>(
      LossClosures(
        parameters: [.init("p", [2])],
        value: { p in p[0] * p[0] / 2 + p[1] * p[1] * (p[1] * p[1] / 4 - 0.5) },
        valueAndGradient: { p in
          (
            p[0] * p[0] / 2 + p[1] * p[1] * (p[1] * p[1] / 4 - 0.5),
            [p[0], p[1] * p[1] * p[1] - p[1]]
          )
        }, hessianProduct: { p, v in [v[0], (3 * p[1] * p[1] - 1) * v[1]] }))
    for method in Self.byGradients + Self.newton {
      let (steps, ending) = try run(method, loss, from: [1, 1e-3])
      #expect(ending.reason == .converged, "\(method.name): \(ending.sentence)")
      #expect(abs(abs(steps.parameters[1]) - 1) < 1e-7 && abs(steps.parameters[0]) < 1e-7)
      #expect(
        ending.sentence.hasSuffix(
          "at most the tolerance of 1e-8; a lower one goes on, as \(method.name):tolerance=1e-10."))
    }
  }

  @Test func oneParameter() throws {
    let loss = scalar(
      { $0 * $0 * $0 * $0 / 4 - $0 }, { $0 * $0 * $0 - 1 }, { 3 * $0 * $0 })
    for method in Self.all {
      let (steps, ending) = try run(method, loss, from: [3])
      #expect(ending.reason == .converged && abs(steps.parameters[0] - 1) < 1e-8, "\(method.name)")
    }
  }

  /// In float32 each gets as near as the loss can tell, and says that it was rounding that ended it.
  @Test(arguments: [("bard", 8.214877306578963e-3), ("kowalik-osborne", 3.0750560384923645e-4)])
  func roundingInFloat32(_ problem: (name: String, minimum: Double)) throws {
    let known = MoreGarbowHillstrom.named(problem.name)!
    let methods = MethodCatalogue.all.map { try! $0.make(["tolerance": 0]) }
    for method in methods {
      let loss = try Objective<Float>(known.definition, data: [], executor: ReferenceExecutor())
      let (steps, ending) = try run(method, loss, from: known.start.map { Float($0) })
      #expect(ending.reason == .rounding, "\(method.name): \(ending.sentence)")
      #expect(
        ending.sentence.contains("rounding of the loss in float32")
          || ending.sentence.contains("by more than its rounding in float32"))
      #expect(ending.sentence.hasSuffix("go on in float64."))
      let exact = try MoreGarbowHillstromTests.objective(problem.name)
        .value(at: steps.parameters.map { Double($0) })
      #expect(exact < problem.minimum * (1 + 1e-5), "\(method.name): \(exact)")
    }
  }

  /// Rounding in float32 is never taken for a gradient that does not fit, nor for a loss without end.
  @Test(arguments: scipyRuns.map(\.name))
  func reasonsInFloat32(_ name: String) throws {
    let known = MoreGarbowHillstrom.named(name)!
    let loss = try Objective<Float>(known.definition, data: [], executor: ReferenceExecutor())
    for method in Self.all {
      let steps = try method.start(loss, from: known.start.map { Float($0) })
      var ending: StepEnding?
      while ending == nil, steps.stepCount < 200 { ending = try steps.step().ending }
      if let ending {
        #expect(
          [.converged, .rounding].contains(ending.reason),
          "\(method.name) on \(name): \(ending.reason) \(ending.sentence)")
      }
    }
  }

  /// A rate near zero shortens the first trial of a step, and ends nothing.
  @Test(arguments: [0, 1e-300, 1e-9]) func rateNearZero(_ rate: Double) throws {
    let bowl = scalar({ ($0 - 3) * ($0 - 3) / 2 + 1 }, { $0 - 3 }, { _ in 1 })
    for method in Self.all {
      let steps = try method.start(bowl, from: [100])
      steps.rate = rate
      var ending: StepEnding?
      while ending == nil, steps.stepCount < 60 { ending = try steps.step().ending }
      // This one only shortens its trials: it comes nearer by that share of the way in each step.
      let isSlow = method is NystromNewtonCG
      #expect(
        ending?.reason == (isSlow ? nil : .converged),
        "\(method.name): \(ending?.sentence ?? "none")")
      #expect(abs(steps.parameters[0] - 3) < (isSlow ? 96.999 : 1e-7), "\(method.name)")
    }
  }

  /// A step that moves nothing because of a number given is not taken for rounding.
  @Test func numbersThatHoldTheFirstStepBack() throws {
    let bowl = scalar({ ($0 - 1) * ($0 - 1) }, { 2 * $0 - 2 }, { _ in 2 })
    // At zero the shortest step moves the parameter, though not the loss.
    for (method, words, start) in [
      (LevenbergMarquardt(damping: 1e300) as any IterativeMethod, "the damping of 1e300 times", 5),
      (LevenbergMarquardt(damping: 1e300), "the damping of 1e300 times", 0),
      (TrustRegionNewton(radius: 1e-300), "the radius of 1e-300 of the trust region", 5),
      (TrustRegionNewton(radius: 1e-100), "the radius of 1e-100 of the trust region", 0.0),
    ] {
      let (steps, ending) = try run(method, bowl, from: [start])
      #expect(ending.reason == .stalled && abs(steps.parameters[0] - start) < 1e-50)
      #expect(ending.sentence.contains(words), "\(ending.sentence)")
    }
  }

  /// Directions a million times flatter than the damping, beside sharp ones.
  @Test func flatDirectionsUnderDamping() throws {
    let curvatures = [2.5e7, 1, 1e-2, 1e-6]
    let loss = ClosureLoss<Double>(
      LossClosures(
        parameters: [.init("x", [4])],
        value: { x in zip(curvatures, x).reduce(0) { $0 + $1.0 * ($1.1 - 1) * ($1.1 - 1) / 2 } },
        valueAndGradient: { x in
          (
            zip(curvatures, x).reduce(0) { $0 + $1.0 * ($1.1 - 1) * ($1.1 - 1) / 2 },
            zip(curvatures, x).map { $0 * ($1 - 1) }
          )
        }, hessianProduct: { _, v in zip(curvatures, v).map { $0 * $1 } }))
    let (steps, ending) = try run(
      NystromNewtonCG(tolerance: 1e-12), loss, from: [0, 5, -3, 1000])
    #expect(ending.reason == .converged && steps.stepCount <= 12, "\(steps.stepCount)")
    #expect(steps.parameters.allSatisfy { abs($0 - 1) < 1e-5 }, "\(steps.parameters)")
  }

  /// A gradient of the wrong sign.
  @Test func gradientThatDoesNotFit() throws {
    let loss = scalar({ 1 + $0 * $0 }, { -2 * $0 }, { _ in 2 })
    for method in Self.byGradients {
      let (steps, ending) = try run(method, loss, from: [1])
      #expect(ending.reason == .stalled && steps.parameters == [1])
      #expect(ending.sentence.contains("the gradient does not fit the loss here"))
    }
  }

  /// A trainer ends where its method does.
  @Test func trainerEndsWithTheMethod() throws {
    let loss = try MoreGarbowHillstromTests.objective("wood")
    let trainer = Trainer(
      try LBFGS().start(loss, from: [-3, -1, -3, -1]), rate: 1, steps: 1000)
    let ending = try trainer.train()
    #expect(
      ending.reason == .method && ending.sentence.hasPrefix("Converged: the largest entry"))
    #expect(relativeDistance(trainer.run.parameters, [1, 1, 1, 1]) < 1e-7)
  }
}
