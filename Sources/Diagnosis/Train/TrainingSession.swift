import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// A request on its way to a trained result.
struct TrainingSession<Scalar: LinearMapScalar> {
  let request: TrainingRequest
  let surroundings: TrainingSurroundings
  let data: TrainingData
  let loss: any Loss<Scalar>
  let onTraining: DataEvaluation<Scalar>
  let onHeldOut: DataEvaluation<Scalar>?
  let parts: TrainingParts<Scalar>
  let batches: Batches?
  /// What trackers look at; nil for the loss.
  let sample: (any Loss<Scalar>)?
  let stepsPerPass: Int
  let stepCount: Int
  let rules: StepRules
  let rate: Double
  /// What `rate` rests on, where it was chosen for this run.
  let chosen: AutoRate?
  private(set) var notes: [String]
  /// What the run is taken up from.
  private(set) var kept: TrainerState<Scalar>?

  init(
    _ problem: DiagnosisProblem, heldOut: DiagnosisProblem?, _ request: TrainingRequest,
    _ surroundings: TrainingSurroundings
  ) throws {
    self.request = request
    self.surroundings = surroundings
    let (executor, context) = (surroundings.executor, surroundings.context)
    let problem = try ChosenData<Scalar>.withCouplingFound(problem, executor)
    data = try TrainingData(
      problem, heldOut: heldOut, request.heldOut, seed: request.resources.seed)
    let memory = request.resources.memory
    loss = try data.training.loss(executor: executor, memory: memory, context: context)
    onTraining = DataEvaluation(data.training, loss)
    onHeldOut = try data.heldOut.map {
      DataEvaluation($0, try $0.loss(executor: executor, memory: memory, context: context))
    }
    parts = TrainingParts(request)
    batches = try Self.batches(request, samples: data.training.sampleCount)
    sample =
      try parts.trackers.isEmpty && parts.schedule.measurement == nil
      ? nil
      : data.sample(batches, seed: request.resources.seed)?
        .loss(executor: executor, memory: memory, context: context)
    stepsPerPass = batches?.stepsPerPass(data.training.sampleCount) ?? 1
    stepCount = try Self.steps(request, stepsPerPass)
    if let warmUp = request.warmUp, warmUp > 1, warmUp >= Double(stepCount) {
      throw DiagnosisFailure(
        .usage,
        "\(option: .warmUp, Wording.number(warmUp)) are as many steps as the run has, "
          + "\(Wording.count(stepCount)), or more; give fewer, or up to 1 as a share of the run.")
    }
    let given: Double? = if case .number(let rate)? = request.rate { rate } else { nil }
    var rules = try request.rules.rules(
      data.training.parameters, factors: surroundings.rateFactors, rate: given)
    rules.accumulation = request.batches?.accumulation ?? 1
    rules.probeSeed = request.resources.probeSeed
    self.rules = rules
    notes = data.training.notes
    if let batches { notes.append(Self.words(of: batches, data.training.sampleCount)) }
    if let sample {
      notes.append(
        "What is tracked is that of a fixed batch of \(Wording.count(sample.sampleCount, "sample")), drawn by "
          + "--seed.")
    }
    if case .model(let model) = request.problem { notes.append(Self.words(of: model)) }
    if let store = surroundings.store {
      let resumed = try ResumedState<Scalar>(
        store, request, fingerprint: data.training.fingerprint(heldOut: data.heldOut))
      kept = resumed.state
      notes += resumed.notes
    }
    if let taken = kept?.run.stepCount, taken > stepCount {
      throw DiagnosisFailure(
        .usage,
        "The checkpoint is of step \(Wording.count(taken)), beyond the \(Wording.count(stepCount, "step")) "
          + "asked for: ask for more, or begin anew in another folder.")
    }
    (rate, chosen) = try Self.rate(
      request, kept?.memories.rate, loss, from: data.training.start.map { Scalar($0) }, batches,
      parts.schedule, steps: stepCount, rules, context)
  }

  /// The rate of the run: the number given, that of the run that is resumed, or one that is chosen.
  private static func rate(
    _ request: TrainingRequest, _ kept: Double?, _ loss: any Loss<Scalar>, from start: [Scalar],
    _ batches: Batches?, _ schedule: any Schedule, steps: Int, _ rules: StepRules,
    _ context: RunContext
  ) throws -> (Double, AutoRate?) {
    if let kept { return (kept, nil) }
    switch (request.rate, request.optimizer) {
    case (.number(let rate)?, _): return (rate, nil)
    // One that measures needs none.
    case (nil, .optimizer): return (0, nil)
    case (nil, .method): return (1, nil)
    case (.automatic?, .method(let setting)):
      throw DiagnosisFailure(
        .usage,
        "\(option: .rate, "auto") chooses the rate of an optimizer, and the method \(setting.name) finds the "
          + "lengths of its steps by itself; leave it out.")
    case (.automatic?, .optimizer(let setting)):
      let answer = try chooseRate(
        loss, setting.make(), from: start, batches: batches, schedule: schedule, steps: steps,
        rules: rules, seed: request.resources.seed, context: context)
      switch answer {
      case .rate(let chosen): return (chosen.rate, chosen)
      case .refused(let sentence): throw DiagnosisFailure(.usage, "\(sentence)")
      }
    }
  }

  private static func steps(_ request: TrainingRequest, _ stepsPerPass: Int) throws -> Int {
    if let steps = request.steps { return steps }
    let epochs = request.epochs ?? 1
    let (steps, overflow) = epochs.multipliedReportingOverflow(by: stepsPerPass)
    guard !overflow, steps <= TrainingSetup.mostSteps else {
      throw DiagnosisFailure(
        .usage,
        "\(epochs) passes of \(stepsPerPass) steps are more than any run comes to the end of; "
          + "give fewer.")
    }
    return steps
  }

  private static func batches(_ request: TrainingRequest, samples: Int) throws -> Batches? {
    guard let setup = request.batches else { return nil }
    let size = setup.size * setup.accumulation
    guard size <= samples else {
      let count =
        setup.accumulation == 1
        ? "\(option: .batches, "\(setup.size)") is"
        : "\(setup.accumulation) times \(option: .batches, "\(setup.size)") are" as Message
      throw DiagnosisFailure(
        .usage,
        count
          + " more than the \(Wording.count(samples, "sample")) that there are to train on; give "
          + "at most \(samples / setup.accumulation), or leave it out to take all at each step.")
    }
    return Batches(
      size: size, seed: request.resources.probeSeed, sampling: setup.sampling, last: setup.last)
  }

  /// What acts in another way while training.
  private static func words(of model: ModelFileRequest) -> String {
    model.training
      ? "Dropout, where the model has it, drops the same entries of a batch at every step, drawn by --seed."
      : "Dropout and BatchNormalization, where the model has them, act as in use; --training has them act as "
        + "while training."
  }

  private static func words(of batches: Batches, _ samples: Int) -> String {
    let rest = samples % batches.size
    let passes = "\(Wording.count(batches.stepsPerPass(samples), "step")) make a pass"
    switch (batches.sampling, batches.last) {
    case (.replacement, _):
      return "Each batch is drawn from all samples, with replacement; \(passes)."
    case (.shuffle, _) where rest == 0:
      return
        "Batches are drawn without replacement from an order shuffled anew for each pass; \(passes)."
    case (.shuffle, .included):
      return
        "Batches are drawn without replacement from an order shuffled anew for each pass, the last of "
        + "\(Wording.count(rest, "sample")); \(passes)."
    case (.shuffle, .dropped):
      return
        "Batches are drawn without replacement from an order shuffled anew for each pass, whose last "
        + "\(Wording.count(rest, "sample")) are left out of it; \(passes)."
    }
  }

  /// The run, from the start or from where it was kept.
  private func run() throws -> any TrainingSteps<Scalar> {
    let start = data.training.start.map { Scalar($0) }
    switch request.optimizer {
    case .optimizer(let setting):
      let source = batches.map { GradientSource<Scalar>.batches($0) } ?? .allSamples
      if let then = request.then {
        var options = HybridOptions(then)
        options.seed = request.resources.probeSeed
        let plan = try options.plan(setting.make(), steps: stepCount)
        if let kept { return try HybridRun(resuming: kept.run, plan, of: loss, rules: rules) }
        return try HybridRun(
          plan, loss, rate: rate, from: start, gradients: source, rules: rules)
      }
      if let kept {
        return try TrainingRun(resuming: kept.run, of: loss, rules: rules)
      }
      return try TrainingRun(
        loss, setting.make(), rate: rate, from: start, gradients: source, rules: rules)
    case .method(let setting):
      if let kept { return try setting.make().resume(kept.run, of: loss) }
      return try setting.make().start(loss, from: start)
    }
  }

  /// Trains to the end.
  func train() throws -> TrainingResult {
    let start = data.training.start.map { Scalar($0) }
    let before = try onTraining.reading(at: start)
    let first = try loss.valueAndGradient(at: start)
    let startNorm = Scalar.nrm2(first.gradient.count, first.gradient)
    guard first.value.isFinite, startNorm.isFinite else { throw try brokenStart(start) }
    let run = try run()
    let period = Self.period(steps: stepCount, stepsPerPass)
    let place = CheckpointPlace()
    let fingerprint = data.training.fingerprint(heldOut: data.heldOut)
    let asked = try OrderedJSON.string(request, indented: false)
    let keeping = surroundings.store.map { store in
      CheckpointKeeping<Scalar>(every: request.files.checkpointPeriod ?? period) { state in
        let checkpoint = Checkpoint(fingerprint: fingerprint, request: asked, state: state)
        place.newest = try store.write(checkpoint.bytes(), step: state.run.stepCount)
        place.step = state.run.stepCount
        return place.newest ?? ""
      }
    }
    let measurer = ScheduleMeasurer<Scalar>(sample: sample, seed: request.resources.probeSeed)
    let trainer = Trainer(
      run, rate: rate, steps: stepCount, stepsPerPass: stepsPerPass,
      schedule: parts.schedule, trackers: parts.trackers, watch: parts.watch,
      action: request.guarding, sample: sample, seed: request.resources.probeSeed,
      evaluator: TrainingEvaluator(every: batches == nil ? period : stepsPerPass) { point in
        (try onTraining.reading(at: point), try onHeldOut?.reading(at: point))
      }, patience: request.patience, keeping: keeping, logger: surroundings.logger,
      remembering: { measurement, run, memory in
        measurer.memory = memory
        defer { memory = measurer.memory }
        return try measurer.measure(measurement, run)
      })
    if let kept { trainer.restore(kept) }
    var ending = try trainer.train(surroundings.context, surroundings.event)
    if ending.reason == .nonFinite { ending.sentence = try words(of: run, ending) }
    return try result(
      trainer, ending, before: before, gradientNorm: startNorm, place: place)
  }

  /// Steps between two looks at all data where a pass is one step, and between two checkpoints.
  private static func period(steps: Int, _ stepsPerPass: Int) -> Int {
    max(stepsPerPass, (steps + 99) / 100)
  }

  private func brokenStart(_ start: [Scalar]) throws -> DiagnosisFailure {
    let origin = try loss.objective.flatMap {
      try NonFiniteOrigin($0, at: start, samples: nil)
    }
    return DiagnosisFailure(
      .badData,
      "\(data.training.name): the loss or its gradient is not finite at the start"
        + (origin.map { "; it comes from \($0.words)" } ?? "")
        + ": mend the data, or start from other parameters.")
  }

  /// What became of a run whose loss is no number any more.
  private func words(of run: any TrainingSteps<Scalar>, _ ending: TrainingEnding) throws -> String {
    let point = (run as? TrainingRun<Scalar>)?.evaluatedParameters ?? run.parameters
    let samples = batches?.samples(of: run.stepCount - 1, sampleCount: data.training.sampleCount)
    let origin = try loss.objective.flatMap {
      try NonFiniteOrigin($0, at: point, samples: samples)
    }
    guard let origin else { return ending.sentence }
    return ending.sentence.dropLast() + "; it comes from \(origin.words)."
  }
}

/// The newest checkpoint of a run, as its keeper notes it.
final class CheckpointPlace {
  var newest: String?
  var step: Int?
}
