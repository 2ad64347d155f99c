import Curvature
import Diagnosis
import Foundation
import KnownLosses
import TensorPrograms
import Testing
import Training

/// Training by a request, in memory.
@Suite struct TrainTests {
  private static let rows = 24

  private static func features() -> [Double] {
    (0..<rows).flatMap { [sin(Double($0)), cos(Double($0) * 1.7)] }
  }

  private func request(steps: Int, rate: Double) -> TrainingRequest {
    var request = TrainingRequest(.memory("problem"))
    request.rate = .number(rate)
    request.steps = steps
    return request
  }

  private func train(
    _ problem: DiagnosisProblem, _ request: TrainingRequest,
    event: @escaping (TrainingEvent) throws -> Void = { _ in }
  ) throws -> TrainingResult {
    try Diagnosis.train(
      problem, request: request,
      TrainingSurroundings(executor: ReferenceExecutor(), event: event))
  }

  @Test func `accuracy is that of the largest output`() throws {
    let x = Self.features()
    let labels = (0..<Self.rows).map { Int32(x[2 * $0] > 0.3 ? 2 : x[2 * $0 + 1] > 0 ? 1 : 0) }
    let table = TabularProblem(
      name: "t", targetName: "y", features: x, featureNames: ["a", "b"],
      target: .classes(labels, count: 3), model: .softmax, loss: .crossEntropy)
    let result = try train(DiagnosisProblem(table), request(steps: 30, rate: 0.5))
    let (weights, bias) = (result.parameters[0].values, result.parameters[1].values)
    let hits = (0..<Self.rows).count { row in
      let outputs = (0..<3).map {
        x[2 * row] * weights[$0] + x[2 * row + 1] * weights[3 + $0] + bias[$0]
      }
      return outputs.firstIndex(of: outputs.max()!)! == Int(labels[row])
    }
    #expect(result.report.after.accuracy == Double(hits) / Double(Self.rows))
    #expect(hits > Self.rows / 2 && result.report.after.rSquared == nil)
  }

  @Test func `R2 is one less the share of the squared deviations`() throws {
    let x = Self.features()
    let y = (0..<Self.rows).map { 3 * x[2 * $0] - x[2 * $0 + 1] + sin(Double($0 * $0)) }
    let table = TabularProblem(
      name: "t", targetName: "y", features: x, featureNames: ["a", "b"], target: .numeric(y),
      model: .linear, loss: .halfSquaredError)
    var request = request(steps: 40, rate: 0.2)
    request.heldOut = .share(0.25)
    let result = try train(DiagnosisProblem(table), request)
    let (weights, bias) = (result.parameters[0].values, result.parameters[1].values)
    let report = result.report
    #expect(report.problem.samples == 18 && report.heldOut?.samples == 6)
    // Whichever rows they are: sums of squares over both parts are those over all.
    func squares(_ rows: Range<Int>) -> Double {
      rows.reduce(0) { total, row in
        let error = x[2 * row] * weights[0] + x[2 * row + 1] * weights[1] + bias[0] - y[row]
        return total + error * error / 2
      }
    }
    let loss = try 18 * #require(report.after.loss) + 6 * #require(report.heldOut?.after.loss)
    #expect(abs(loss - squares(0..<Self.rows)) < 1e-9 * loss)
    let whole = try train(DiagnosisProblem(table), self.request(steps: 40, rate: 0.2))
    let (w, b) = (whole.parameters[0].values, whole.parameters[1].values)
    let mean = y.reduce(0, +) / Double(Self.rows)
    let error = (0..<Self.rows).reduce(0.0) { total, row in
      let difference = x[2 * row] * w[0] + x[2 * row + 1] * w[1] + b[0] - y[row]
      return total + difference * difference
    }
    let total = y.reduce(0.0) { $0 + ($1 - mean) * ($1 - mean) }
    #expect(abs(try #require(whole.report.after.rSquared) - (1 - error / total)) < 1e-12)
  }

  /// `mean -log(w x) + 0 * exp(m)` with a mask of minus infinity, which comes to nothing.
  private func logarithm(start: Double) -> DiagnosisProblem {
    let definition = LossDefinition(parameters: [.init("first", [1]), .init("second2", [1])]) {
      parameters, data in
      let mask = data[0].builder.full(-.infinity, data[0].type).exp() * 0
      let inner = (data[0] * parameters[0] + mask).sum([1])
      return (inner * parameters[1]).log().mean() + (parameters[1] * 0.5).sum()
    }
    return DiagnosisProblem(
      name: "logarithm", definition: definition,
      data: [Tensor([1.0, 2, 3, 4], shape: [2, 2])], start: [start, 0.5])
  }

  @Test func `a loss that is no number names the operation and the parameter`() throws {
    let lost = try train(logarithm(start: 1), request(steps: 50, rate: 0.4))
    let sentence = lost.report.ending.sentence
    #expect(lost.report.ending.reason == .nonFinite && lost.report.result == .none)
    #expect(
      sentence.hasSuffix(
        "it comes from the operation 'log' behind the parameter 'second2' of layer2."),
      "\(sentence)")
    #expect(lost.parameters.isEmpty && lost.report.length.steps > 1)
    let failure = try #require(throws: DiagnosisFailure.self) {
      try train(logarithm(start: -1), request(steps: 3, rate: 0.1))
    }
    #expect(failure.kind == .badData)
    #expect("\(failure)".contains("not finite at the start; it comes from the operation 'log'"))
  }

  @Test func `a loss of closures is trained as any`() throws {
    let closures = LossClosures(
      parameters: [.init("p", [2])], value: Rosenbrock.value,
      valueAndGradient: { (Rosenbrock.value($0), Rosenbrock.gradient($0)) },
      hessianProduct: { _, _ in [] })
    var request = request(steps: 20, rate: 1e-3)
    request.resources.precision = .float64
    var rates: [Double] = []
    let result = try train(
      DiagnosisProblem(name: "valley", loss: closures, start: Rosenbrock.start), request
    ) { if case .step(let record) = $0 { rates.append(record.rate) } }
    var point = Rosenbrock.start
    for _ in 0..<20 { point = zip(point, Rosenbrock.gradient(point)).map { $0 - 1e-3 * $1 } }
    let found = result.parameters[0].values
    #expect(zip(found, point).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(rates == [Double](repeating: 1e-3, count: 20))
    #expect(result.report.after.loss == Rosenbrock.value(found))
    request.batches = BatchSetup(size: 1)
    #expect(throws: (any Error).self) {
      try train(DiagnosisProblem(name: "valley", loss: closures, start: Rosenbrock.start), request)
    }
  }

  private func table() -> DiagnosisProblem {
    let x = Self.features()
    let y = (0..<Self.rows).map { 3 * x[2 * $0] - x[2 * $0 + 1] + sin(Double($0 * $0)) }
    return DiagnosisProblem(
      TabularProblem(
        name: "t", targetName: "y", features: x, featureNames: ["a", "b"], target: .numeric(y),
        model: .linear, loss: .halfSquaredError))
  }

  @Test
  func `a schedule that measures needs no rate, takes none above one given, and tells its cost`()
    throws
  {
    for name in ["sharpness-following", "curvature-dynamics-aware", "critical-sharpness"] {
      var request = request(steps: 20, rate: 0.05)
      request.schedule = try ScheduleSetting(name, ["every": 5])
      let held = try train(table(), request).report
      #expect(try #require(held.rate.steps).highest == 0.05 && held.rate.given == 0.05)
      #expect(held.method.schedule.hasSuffix("measured every 5 steps, at most 0.05"))
      request.rate = nil
      let free = try train(table(), request).report
      #expect(try #require(free.rate.steps).highest > 0.05 && free.rate.given == 0, "\(name)")
      #expect(try #require(free.after.loss) < #require(held.after.loss))
      #expect(free.cost.measuringGradients > 4 && free.cost.trackingGradients == 0)
      #expect(free.cost.gradients == 20)
    }
  }

  @Test func `rates of their own are those, and a warm-up ends within the run`() throws {
    var request = request(steps: 6, rate: 0.2)
    request.rules.rates = [.init(parameters: "bias", rate: 0.05)]
    let own = try train(table(), request)
    request.rules.rates = [.init(parameters: "bias", factor: 0.25)]
    let factor = try train(table(), request)
    #expect(own.parameters.map(\.values) == factor.parameters.map(\.values))
    request.rules.rates = []
    #expect(own.parameters.map(\.values) != (try train(table(), request)).parameters.map(\.values))
    request.warmUp = 6
    let failure = try #require(throws: DiagnosisFailure.self) { try train(table(), request) }
    #expect(failure.kind == .usage)
    #expect(
      failure.message.text(.flags).hasPrefix("--warm-up 6 are as many steps as the run has, 6"))
    request.warmUp = 5
    _ = try train(table(), request)
  }

  @Test func `what made the model worse is not called done`() throws {
    let worse = try train(table(), request(steps: 20, rate: 10)).report
    #expect(worse.ending.reason == .worse && worse.ending.sentence.contains("rose from"))
    #expect(worse.next.first?.hasPrefix("Lower --lr") == true)
    #expect(try train(table(), request(steps: 20, rate: 0.1)).report.ending.reason == .finished)
  }

  @Test func `the seed reaches the probes, and the words the decay that the run has`() throws {
    func run(_ seed: Int, _ name: String = "adahessian") throws -> TrainingResult {
      var request = request(steps: 8, rate: 0.1)
      request.optimizer = try TrainingMethod(name)
      request.resources.seed = seed
      request.rules.weightDecay = 0.5
      return try train(table(), request)
    }
    let (first, again, other) = (try run(1), try run(1), try run(2))
    #expect(first.parameters.map(\.values) == again.parameters.map(\.values))
    #expect(first.parameters.map(\.values) != other.parameters.map(\.values))
    for name in ["adamw", "adam"] {
      let phrase = try run(1, name).report.method.phrase
      #expect(phrase.contains("weight decay 0.5") && !phrase.contains("0.01"), "\(phrase)")
    }
  }

  @Test func `trackers look at a short run twenty times, where no period is given`() throws {
    var request = request(steps: 60, rate: 0.01)
    request.trackers = try [TrackerSetting("sharpness"), TrackerSetting("layers", ["period": 30])]
    let report = try train(table(), request).report
    #expect(report.tracked.first { $0.name == "sharpness" }?.checks == 20)
    #expect(report.tracked.first { $0.name == "gradient-norm" }?.checks == 2)
    #expect(report.problem.notes.contains { $0.contains("trackers look every 3 steps") })
    request.trackers = try [TrackerSetting("sharpness"), TrackerSetting("sharpness")]
    #expect(throws: RequestError.self) { try request.check() }
  }

  @Test func `a guard goes by the limit of its optimizer, or says that it knows none`() throws {
    var request = request(steps: 120, rate: 0.01)
    request.guarding = .stop
    request.trackers = try [TrackerSetting("sharpness")]
    request.optimizer = try TrainingMethod("adam", [:])
    let adam = try train(table(), request).report
    #expect(adam.tracked.contains { $0.name == "preconditioned-sharpness" && $0.threshold != nil })
    request.optimizer = try TrainingMethod("gd", [:])
    request.trackers = []
    request.rules.rates = [.init(parameters: "weights*", factor: 0.9)]
    let factors = try train(table(), request).report
    #expect(factors.tracked.map(\.name) == ["preconditioned-sharpness"])
    request.rules = RuleSetup()
    request.optimizer = try TrainingMethod("lion", [:])
    let lion = try train(table(), request).report
    #expect(lion.tracked.isEmpty)
    #expect(lion.problem.notes.contains { $0.contains("No limit of the rate is known for Lion") })
    request.optimizer = try TrainingMethod("lbfgs", [:])
    #expect {
      try request.check()
    } throws: {
      ($0 as? RequestError)?.field == "guarding"
    }
  }
}
