import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

@Suite struct WarmSharpnessTests {
  private func map(_ eigenvalues: [Double]) -> DiagonalMap<Double> { DiagonalMap(eigenvalues) }

  @Test func findsTheLargestFromARandomStart() throws {
    var search = WarmSharpness()
    search.tolerance = 1e-6
    // The largest in size is negative.
    let found = try search(of: map((0..<200).map { Double($0) / 40 } + [-9, 8]), seed: 1)
    #expect(abs(found.value - 8) < 1e-10 && found.relativeResidual <= 1e-6)
    #expect(abs(abs(found.vector[201]) - 1) < 1e-6 && found.products < 30 && found.isReliable)
  }

  @Test func startsFromTheLastVector() throws {
    let search = WarmSharpness()
    let spectrum = (0..<100).map { Double($0) / 100 } + [5]
    var start = [Double](repeating: 0, count: 101)
    start[100] = 1
    start[3] = 0.05
    let warm = try search(of: map(spectrum), start: start, seed: 7)
    #expect(warm.products == 2 && abs(warm.value - 5) < 0.01)
    // Some eigenvalue lies within the residual, and none above it is claimed.
    #expect(spectrum.contains { abs($0 - warm.value) <= warm.residual } && warm.value <= 5 + 1e-12)
    #expect(try search(of: map(spectrum), start: start, seed: 7).vector == warm.vector)
    // One of another length counts for none.
    let cold = try search(of: map(spectrum), start: [1, 2], seed: 7)
    #expect(abs(cold.value - 5) < 0.5 && cold.products > 2)
  }

  /// The vector of another eigenvalue says nothing of a new one; the noise does.
  @Test func noticesADirectionThatHasBecomeTheSharpest() throws {
    let search = WarmSharpness()
    var start = [1.0] + [Double](repeating: 0, count: 50)
    let risen = map([2] + [Double](repeating: 0.1, count: 49) + [6])
    var values: [Double] = []
    for seed: UInt64 in 0..<8 {
      let found = try search(of: risen, start: start, seed: seed)
      start = found.next
      values.append(found.value)
    }
    #expect(abs(values.last! - 6) < 0.01, "\(values)")
  }

  @Test func flagsALookThatWasCutShort() throws {
    var search = WarmSharpness()
    search.coldProductLimit = 2
    let found = try search(of: map((0..<400).map { Double($0) }), seed: 1)
    #expect(found.products == 2 && found.relativeResidual > 0.1 && !found.isReliable)
  }

  @Test func refusesProductsThatAreNotFinite() throws {
    let broken = ClosureMap<Double>(dimension: 3) { _, y in
      for index in 0..<3 { y[index] = .nan }
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 1, index: 0)) {
      _ = try WarmSharpness()(of: broken, seed: 1)
    }
  }
}

@Suite struct TrackerTests {
  private func moment(
    _ run: TrainingRun<Double>, rate: Double, origin: [Double]? = nil
  ) -> TrackingMoment<Double> {
    TrackingMoment(run: run, sample: run.loss, rate: rate, seed: 5, origin: origin)
  }

  private func check(
    _ tracker: any Tracker, _ run: TrainingRun<Double>, rate: Double, origin: [Double]? = nil
  ) throws -> [TrackedValue] {
    var memory = TrackerMemory()
    return try tracker.check(moment(run, rate: rate, origin: origin), &memory)
  }

  private static let exact: SharpnessLook = {
    var look = SharpnessLook()
    look.search.tolerance = 1e-9
    return look
  }()

  /// Each optimizer's own limit, and what lies along the sharpest direction where that is passed.
  @Test func sharpnessBesideTheLimit() throws {
    let limits: [(any Optimizer, Double)] = [
      (GradientDescent(), 2), (Momentum(beta: 0.9), 3.8), (Nesterov(beta: 0.9), 3.8 / 2.8),
    ]
    for (optimizer, product) in limits {
      let run = try TrainingRun(
        quadratic([1, 2, 7]), optimizer, rate: 0.1, from: [1, -1, 0.5])
      let below = try check(Sharpness(Self.exact), run, rate: 0.1)
      #expect(below.map(\.name) == ["sharpness"])
      #expect(close(below[0].value, 7, 1e-9) && close(below[0].threshold!, product / 0.1, 1e-12))
      let above = try check(PreconditionedSharpness(Self.exact), run, rate: 1)
      #expect(above.map(\.name) == ["preconditioned-sharpness", "loss-along-sharpest"])
      #expect(close(above[1].value, 7 * 0.25 / 2, 1e-6))
    }
  }

  /// A chain of three weights at 1: one curvature of 3, the others 0.
  @Test func depthSharpens() throws {
    let chain = LossDefinition(parameters: (1...3).map { .init("w\($0)", []) }) { w, _ in
      (w[0] * w[1] * w[2] - 1).square() * 0.5
    }
    let loss = try Objective<Double>(chain, data: [], executor: ReferenceExecutor())
    let run = try TrainingRun(loss, GradientDescent(), rate: 0.1, from: [1, 1, 1])
    #expect(close(try check(Sharpness(Self.exact), run, rate: 0.1)[0].value, 3, 1e-9))
  }

  /// Adam's: the eigenvalues of `H / P` with `P` from the second moments.
  @Test func preconditionedByAdam() throws {
    let curvatures = [1.0, 40, 9]
    let adam = Adam(beta1: 0.8, beta2: 0.9, epsilon: 1e-3)
    let run = try TrainingRun(quadratic(curvatures), adam, rate: 0.05, from: [1, -1, 0.5])
    #expect(try check(PreconditionedSharpness(), run, rate: 0.05).isEmpty)
    for _ in 0..<4 { try run.step() }
    let v = run.state("v")
    let expected = (0..<3).map { index -> Double in
      let divisor = (1 - pow(0.8, 4)) * ((v[index] / (1 - pow(0.9, 4))).squareRoot() + 1e-3)
      return curvatures[index] / divisor
    }.max()!
    let found = try check(PreconditionedSharpness(Self.exact), run, rate: 0.05)[0]
    #expect(close(found.value, expected, 1e-9))
    #expect(close(found.threshold!, (2 + 1.6) / 0.2 / 0.05, 1e-12))
    #expect(try check(Sharpness(Self.exact), run, rate: 0.05)[0].threshold == nil)
  }

  @Test func ratesPerParameterBelongToThePreconditioner() throws {
    var rules = StepRules()
    rules.rateFactors = [.tensor([1, 0.5, 0.1])]
    let run = try TrainingRun(
      quadratic([1, 4, 30]), GradientDescent(), rate: 0.1, from: [1, 1, 1], rules: rules)
    let found = try check(PreconditionedSharpness(Self.exact), run, rate: 0.1)[0]
    #expect(close(found.value, 3, 1e-8) && close(found.threshold!, 20, 1e-12))
  }

  /// Groups of one sample: mean and covariance of single gradients, by hand.
  @Test func gradientNoise() throws {
    let problem = Regression()
    let run = try TrainingRun(
      problem.objective(), GradientDescent(), rate: 0.1, from: problem.start)
    let single = (0..<7).map { problem.valueAndGradient(at: problem.start, samples: [$0]).gradient }
    let mean = (0..<10).map { index in single.reduce(0) { $0 + $1[index] } / 7 }
    let noise =
      single.reduce(0) { sum, gradient in
        sum + zip(gradient, mean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      } / 6
    let signal = mean.reduce(0) { $0 + $1 * $1 } - noise / 7
    let found = try check(GradientNoise(groups: 7), run, rate: 0.1)
    #expect(signal > 0 && close(found[0].value, noise / signal, 1e-9), "\(found)")
    let layer = try #require(found.first { $0.name == "gradient-signal-to-noise" })
    #expect(close(layer.value, 7 * signal / noise, 1e-9))
    #expect(throws: TrackingError.self) {
      let loss = ClosureLoss<Double>(problem.closures, executor: ReferenceExecutor())
      let run = try TrainingRun(loss, GradientDescent(), rate: 0.1, from: problem.start)
      _ = try check(GradientNoise(), run, rate: 0.1)
    }
  }

  /// Along curvature: `tr(H S) / g'Hg` of a quadratic whose samples pull to points of their own.
  @Test func batchFromWhichMoreStopHelping() throws {
    let pulls = [[1.0, 0], [3, 1], [2, -1], [4, 2]]
    let definition = LossDefinition(parameters: [.init("x", [2])]) { p, data in
      let scales = p[0].builder.constant(Tensor([1.0, 10], shape: [2]))
      return ((p[0] - data[0]).square() * scales).mean()
    }
    let loss = try Objective<Double>(
      definition, data: [Tensor(pulls.flatMap { $0 }, shape: [4, 2])],
      executor: ReferenceExecutor())
    let run = try TrainingRun(loss, GradientDescent(), rate: 0.1, from: [10, 10])
    let (h, mean) = ([1.0, 10], [2.5, 0.5])
    func form(_ g: [Double]) -> Double { h[0] * g[0] * g[0] + h[1] * g[1] * g[1] }
    let noise =
      pulls.reduce(0) { sum, pull in
        sum + form((0..<2).map { h[$0] * (mean[$0] - pull[$0]) })
      } / 3
    let signal = form((0..<2).map { h[$0] * (10 - mean[$0]) }) - noise / 4
    let found = try check(GradientNoise(groups: 4), run, rate: 0.1)
    let batch = try #require(found.first { $0.name == "critical-batch-size" })
    #expect(close(batch.value, noise / signal, 1e-9) && batch.isReliable)
  }

  @Test func layersOfAStep() throws {
    let network = SmallNetwork.regression(30, [3, 4, 1], .tanh, noise: 0.1, seed: 2)
    let run = try TrainingRun(
      network.objective(ReferenceExecutor()), GradientDescent(), rate: 0.1, from: network.start)
    let gradient = try run.loss.valueAndGradient(at: network.start).gradient
    try run.step()
    let found = try check(LayerSteps(), run, rate: 0.1, origin: network.start)
    let first = (norm(Array(gradient[..<16])), norm(Array(network.start[..<16])))
    #expect(found.map(\.part) == ["layer1", "layer1", "layer2", "layer2"])
    #expect(close(found[0].value, first.0, 1e-12))
    #expect(close(found[1].value, 0.1 * first.0 / first.1, 1e-9))
    #expect(close(found[2].value, norm(Array(gradient[16...])), 1e-12))
  }

  /// At a standard deviation of one over the root of the width, what comes back through a logistic layer has 0.236
  /// of its norm, the root of `chi = 0.0557`.
  ///
  /// Reference: Schoenholz et al., "Deep information propagation", arXiv:1611.01232.
  @Test func vanishingGradientsAreFound() throws {
    let widths = [10] + [Int](repeating: 60, count: 8) + [1]
    let network = SmallNetwork.regression(40, widths, .sigmoid, noise: 0.1, seed: 1)
    let run = try TrainingRun(
      network.objective(ReferenceExecutor()), GradientDescent(), rate: 0.1, from: network.start)
    try run.step()
    var summary = TrackingSummary()
    summary.add(
      TrackingRecord(
        step: 0, values: try check(LayerSteps(), run, rate: 0.1, origin: network.start),
        gradients: 1, seconds: 0))
    let finding = try #require(summary.findings().first { $0.id == "vanishing-gradients" })
    #expect(abs(finding.values["perLayer"]! - 0.236) < 0.1, "\(finding)")
    #expect(summary.findings().contains { $0.id == "layers-at-different-speeds" })
  }

  @Test func deadUnits() throws {
    for activation in [SmallNetwork.Activation.relu, .tanh] {
      let network = SmallNetwork.regression(30, [3, 4, 1], activation, noise: 0.1, seed: 2)
      var start = network.start
      // Two of four units below zero for every sample.
      (start[12], start[13], start[14], start[15]) = (-100, -100, 10, 10)
      let run = try TrainingRun(
        network.objective(ReferenceExecutor()), GradientDescent(), rate: 0.1, from: start)
      let found = try check(DeadUnits(), run, rate: 0.1)
      #expect(found.map(\.value) == (activation == .relu ? [0.5] : []))
    }
  }

  /// Rosenbrock's function from (-1.2, 1), by hand: `g'Hg / 2 = 40792778.4`.
  @Test func truncationErrorOfAStep() throws {
    let definition = LossDefinition(parameters: [.init("x", [2])]) { p, _ in
      let (x, y) = (p[0].slice(axis: 0, 0..<1), p[0].slice(axis: 0, 1..<2))
      return ((y - x.square()).square() * 100 + (1 - x).square()).sum()
    }
    let loss = try Objective<Double>(definition, data: [], executor: ReferenceExecutor())
    let start = [-1.2, 1]
    for (rate, scaled) in [(1e-3, 35_380_271.58), (1e-5, 40_736_514.2361)] {
      let run = try TrainingRun(loss, GradientDescent(), rate: rate, from: start)
      try run.step()
      let found = try check(StepError(), run, rate: rate, origin: start)
      #expect(close(found[0].value / (rate * rate), scaled, 1e-5), "\(found)")
      #expect(close(found[1].value / (rate * rate), 40_792_778.4, 1e-8))
    }
  }

  @Test func oscillationAlongTheSharpestDirection() throws {
    let start = [1.0, 0.5, -0.3]
    let run = try TrainingRun(quadratic([1, 2, 10]), GradientDescent(), rate: 0.17, from: start)
    try run.step()
    let found = try check(Oscillation(Self.exact), run, rate: 0.17, origin: start)
    #expect(close(found[0].value, 1 - 1.7, 1e-6))
  }

  /// Checks weigh by the steps that they stand for, and what was gone back from does not count.
  @Test func meansAreOverSteps() {
    var summary = TrackingSummary()
    func add(_ step: Int, _ ratio: Double) {
      summary.add(
        TrackingRecord(
          step: step, values: [TrackedValue("sharpness", 10 * ratio, threshold: 10)], gradients: 0,
          seconds: 0))
    }
    for (step, ratio) in [(0, 0.5), (50, 1.2), (100, 1), (101, 3)] { add(step, ratio) }
    let mean: Double = 54.2 / 52
    #expect(close(summary.series[0].limits!.mean, mean, 1e-12))
    let kept = summary.series.map(\.limits)
    add(102, 1e6)
    summary.goBack(kept, at: 103)
    add(113, 0.7)
    let limits = summary.series[0].limits!
    #expect(close(limits.mean, (54.2 + 7.0) / 62, 1e-12))
    #expect(limits.highest == 3 && limits.most == 1e6 && limits.crossing == 50)
    #expect(summary.series[0].checks == 6 && summary.series[0].crossings == 3)
    let words = summary.findings()[0].sentence
    #expect(
      words.contains("in 4 checks from there on that the run has not gone back from"), "\(words)")
  }

  @Test func layersWithNumbersForNames() {
    #expect(TrackedValue.words(ofPart: "0") == "layer 0")
    #expect(TrackedValue.words(ofPart: "layer1") == "layer1")
  }

  /// Every tracker goes on from its memory bit for bit.
  @Test func resumeBitForBit() throws {
    let network = SmallNetwork.regression(24, [3, 4, 1], .relu, noise: 0.1, seed: 2)
    for entry in TrackerCatalogue.all {
      let tracker = try entry.make(["period": 1])
      #expect(tracker.name == entry.name && tracker.period == 1)
      let loss = try network.objective(ReferenceExecutor())
      let optimizer: any Optimizer =
        entry.name == "preconditioned-sharpness" ? Adam() : Momentum(beta: 0.5)
      var run = try TrainingRun(loss, optimizer, rate: 0.02, from: network.start)
      func go(_ steps: Int, _ memory: inout TrackerMemory) throws -> [TrackedValue] {
        var all: [TrackedValue] = []
        for _ in 0..<steps {
          let origin = run.parameters
          if !tracker.looksAtSteps { all += try tracker.check(moment(run, rate: 0.02), &memory) }
          try run.step()
          if tracker.looksAtSteps {
            all += try tracker.check(moment(run, rate: 0.02, origin: origin), &memory)
          }
        }
        return all
      }
      var memory = TrackerMemory()
      #expect(!(try go(3, &memory)).isEmpty, "\(entry.name)")
      let state = run.trainingState
      var stored = try JSONDecoder().decode(
        TrackerMemory.self, from: JSONEncoder().encode(memory))
      let straight = try go(3, &memory)
      run = try TrainingRun(resuming: state, of: loss)
      #expect(try go(3, &stored) == straight, "\(entry.name)")
      #expect(stored == memory, "\(entry.name)")
    }
  }

  /// Costs by tracker, in gradients of a step.
  @Test func costsAreTold() throws {
    let network = SmallNetwork.regression(64, [3, 8, 1], .tanh, noise: 0.1, seed: 2)
    let run = try TrainingRun(
      network.objective(ReferenceExecutor()), GradientDescent(), rate: 0.05, from: network.start,
      gradients: .batches(Batches(size: 16, seed: 1)))
    let trainer = Trainer(
      run, rate: 0.05, steps: 4, trackers: [DeadUnits(period: 2), Sharpness(), LayerSteps()],
      sample: try network.objective(ReferenceExecutor(), samples: 16))
    var summary = TrackingSummary()
    try _ = trainer.train { if case .tracked(let record) = $0 { summary.add(record) } }
    #expect(summary.costs.map(\.tracker) == ["dead-units", "sharpness", "layers"])
    // A gradient of the step's size for the layers; linearisation and products for the sharpness.
    #expect(abs(summary.costs[2].gradients - 1) < 0.3 && summary.costs[1].gradients > 2)
  }
}
