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
  /// The checkpoint that it is taken up from, for people.
  private let keptPlace: String?

  init(
    _ problem: DiagnosisProblem, heldOut: DiagnosisProblem?, _ request: TrainingRequest,
    _ surroundings: TrainingSurroundings
  ) throws {
    self.request = request
    self.surroundings = surroundings
    let (executor, context) = (surroundings.executor, surroundings.context)
    let problem = try ChosenData<Scalar>.withCouplingFound(problem, executor)
    data = try TrainingData(
      problem, heldOut: heldOut, request.heldOut, seed: request.resources.seed,
      standardises: request.standardises)
    try data.training.requireSquarable(Scalar.self)
    let memory = request.resources.memory
    loss = try data.training.loss(executor: executor, memory: memory, context: context)
    onTraining = DataEvaluation(data.training, loss)
    onHeldOut = try data.heldOut.map {
      DataEvaluation($0, try $0.loss(executor: executor, memory: memory, context: context))
    }
    batches = try request.batches?.batches(
      of: data.training.sampleCount, seed: request.resources.probeSeed)
    stepsPerPass = batches?.stepsPerPass(data.training.sampleCount) ?? 1
    stepCount = try Self.steps(request, stepsPerPass)
    parts = TrainingParts(
      request, steps: stepCount,
      constantLoss: request.guarding == .off ? nil : data.training.lossAtBestConstant)
    sample =
      try parts.trackers.isEmpty && parts.schedule.measurement == nil
      ? nil
      : data.sample(batches, seed: request.resources.seed)?
        .loss(executor: executor, memory: memory, context: context)
    try SchedulePlan(request.schedule, warmUp: request.warmUp).checkStretches(steps: stepCount)
    if let warmUp = request.warmUp, warmUp > 1, warmUp >= Double(stepCount) {
      throw DiagnosisFailure(
        .usage,
        "\(option: .warmUp, Wording.number(warmUp)) are as many steps as the run has, "
          + "\(Wording.count(stepCount)), or more; give fewer, or up to 1 as a share of the run.")
    }
    let given: Double? = if case .number(let rate)? = request.rate { rate } else { nil }
    var rules = try request.rules.rules(
      data.training.parameters, of: request.optimizer.name, factors: surroundings.rateFactors,
      rate: given)
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
    notes += parts.notes
    if case .model(let model) = request.problem { notes.append(Self.words(of: model)) }
    notes += Self.words(of: parts.schedule, request, stepsPerPass, steps: stepCount)
    var resumed: ResumedState<Scalar>?
    if let store = surroundings.store {
      resumed = try ResumedState<Scalar>(
        store, request, fingerprint: data.fingerprint(request, factors: surroundings.rateFactors))
      kept = resumed?.state
      notes += resumed?.notes ?? []
    }
    keptPlace = resumed?.place
    if let taken = kept?.run.stepCount, taken > stepCount {
      throw DiagnosisFailure(
        .usage,
        "The checkpoint is of step \(Wording.count(taken)), beyond the \(Wording.count(stepCount, "step")) "
          + "asked for: ask for more, or begin anew in another folder.")
    }
    if let resumed {
      notes += try resumed.words(
        goingOnTo: stepCount, of: parts.schedule, request, stepsPerPass: stepsPerPass)
    }
    (rate, chosen) = try Self.rate(
      request, resumed, loss, from: data.training.start.map { Scalar($0) }, batches,
      parts.schedule, steps: stepCount, rules, context)
  }

  /// The rate of the run: the number given, that of the run that is resumed, or one that is chosen.
  private static func rate(
    _ request: TrainingRequest, _ resumed: ResumedState<Scalar>?, _ loss: any Loss<Scalar>,
    from start: [Scalar],
    _ batches: Batches?, _ schedule: any Schedule, steps: Int, _ rules: StepRules,
    _ context: RunContext
  ) throws -> (Double, AutoRate?) {
    if let kept = resumed?.state?.memories.rate { return (kept, resumed?.chosen) }
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
      // Of a run whose method changes, the rate is the first part's.
      let part = request.then.map { _ in min(steps, request.switching.make().latest ?? steps) }
      let answer = try chooseRate(
        loss, setting.make(), from: start, batches: batches, schedule: schedule,
        steps: part ?? steps, isPart: part != nil, rules: rules, seed: request.resources.seed,
        context: context)
      switch answer {
      case .rate(let chosen): return (chosen.rate, chosen)
      case .refused(let sentence): throw DiagnosisFailure(.usage, "\(sentence)")
      }
    }
  }

  private static func steps(_ request: TrainingRequest, _ stepsPerPass: Int) throws -> Int {
    if let steps = request.steps { return steps }
    return try TrainingSetup.steps(passes: request.epochs ?? 1, of: stepsPerPass)
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
    let steps = batches.stepsPerPass(samples)
    let passes = "\(Wording.count(steps, "step")) \(steps == 1 ? "makes" : "make") a pass"
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
        var plan = HybridPlan(
          setting.make(), then: then.make(), criterion: request.switching.make())
        plan.seed = request.resources.probeSeed
        if let kept {
          return try HybridRun(
            resuming: kept.run, plan, of: loss, rules: rules, double: lossInFloat64)
        }
        return try HybridRun(
          plan, loss, rate: rate, from: start, gradients: source, rules: rules,
          double: lossInFloat64)
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

  /// The loss in float64, for a method that float32 ends.
  ///
  /// - Throws: what tracing and compiling throw where there is no such form.
  private func lossInFloat64() throws -> any Loss<Double> {
    let executor = surroundings.executor
    let problem = try ChosenData<Double>.withCouplingFound(data.trainingInFloat64(), executor)
    guard problem.start.count == data.training.start.count else {
      throw DiagnosisFailure(
        .badData, "\(problem.name) has other parameters in float64 than in float32.")
    }
    return try problem.loss(
      executor: executor, memory: request.resources.memory, context: surroundings.context)
  }

  /// Trains to the end.
  func train() throws -> TrainingResult {
    let start = data.training.start.map { Scalar($0) }
    let before = try onTraining.reading(at: start)
    let first = try loss.valueAndGradient(at: start)
    let startNorm = Scalar.nrm2(first.gradient.count, first.gradient)
    guard first.value.isFinite, startNorm.isFinite else {
      throw try brokenStart(start, isLoss: !first.value.isFinite)
    }
    let run = try run()
    let period = Self.period(steps: stepCount, stepsPerPass)
    let place = CheckpointPlace()
    (place.newest, place.step) = (keptPlace, kept?.run.stepCount)
    let records = try self.records()
    let fingerprint = data.fingerprint(request, factors: surroundings.rateFactors)
    let asked = try OrderedJSON.string(request, indented: false)
    let keeping = surroundings.store.map { store in
      CheckpointKeeping<Scalar>(every: request.files.checkpointPeriod ?? period) { state in
        let checkpoint = Checkpoint(
          fingerprint: fingerprint, request: asked, state: state, records: records)
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
  static func period(steps: Int, _ stepsPerPass: Int) -> Int {
    max(stepsPerPass, (steps + 99) / 100)
  }
}

/// The newest checkpoint of a run, as its keeper notes it.
final class CheckpointPlace {
  var newest: String?
  var step: Int?
}
