import LinearMaps
import Presentation
import Training

extension TrainingSession {
  /// What the run came to.
  func result(
    _ trainer: Trainer<Scalar>, _ ending: TrainingEnding, before: DataReading,
    gradientNorm: Double, place: CheckpointPlace
  ) throws -> TrainingResult {
    var ending = ending
    let point = trainer.result
    let isFinite = Scalar.firstNonFinite(point.count, point) == nil
    let after =
      isFinite ? try onTraining.reading(at: point) : DataReading(loss: nil)
    let isBest = trainer.stopping?.best != nil
    let result: TrainingReport.Result =
      !isFinite || after.loss == nil ? .none : isBest ? .best : .last
    if ending.reason == .finished || ending.reason == .method,
      let start = before.loss, let end = after.loss, TrainingReport.isWorse(before, after)
    {
      ending = TrainingEnding(
        .worse,
        "\(ending.sentence) The loss over all samples rose from \(Wording.number(start)) to "
          + "\(Wording.number(end)): this training made the model worse.")
    }
    let heldOut = try onHeldOut.map { evaluation in
      let lowest = trainer.history.evaluations.filter { $0.heldOut?.loss != nil }
        .min { ($0.heldOut?.loss ?? .infinity) < ($1.heldOut?.loss ?? .infinity) }
      return TrainingReport.HeldOut(
        samples: data.heldOut?.sampleCount ?? 0,
        before: try evaluation.reading(at: data.training.start.map { Scalar($0) }),
        after: isFinite ? try evaluation.reading(at: point) : DataReading(loss: nil),
        lowest: lowest?.heldOut?.loss, lowestStep: lowest?.step)
    }
    let report = TrainingReport(
      problem: facts(loss: before.loss, gradientNorm: gradientNorm), method: method,
      rate: .init(given: rate, steps: trainer.history.rates, chosen: chosen),
      length: .init(
        steps: trainer.run.stepCount, stepsAsked: stepCount, stepsPerPass: stepsPerPass,
        resumedAfter: trainer.history.resumedAfter), before: before, after: after,
      heldOut: heldOut, history: trainer.history, ending: ending,
      next: next(ending, trainer, heldOut, result),
      checkpoints: request.files.checkpoints.map {
        .init(folder: $0, newest: place.newest, step: place.step)
      }, result: result, request: request)
    var offset = 0
    let values = data.training.parameters.map { parameter in
      defer { offset += parameter.shape.count }
      return TrainingResult.NamedValues(
        name: parameter.name, shape: parameter.shape.dimensions,
        values: point[offset..<offset + parameter.shape.count].map { Double($0) })
    }
    return TrainingResult(report: report, parameters: result == .none ? [] : values)
  }

  /// The optimizer in words, with the weight decay that the run has.
  private var phrase: String {
    let phrase = request.optimizer.phrase
    guard let decay = request.rules.weightDecay, case .optimizer(let setting) = request.optimizer
    else { return phrase }
    let name = "weight-decay"
    guard setting.hyperparameters[name] != nil,
      let own = try? OptimizerSetting(
        setting.name, setting.hyperparameters.merging([name: decay]) { $1 })
    else { return "\(phrase), weight decay \(Wording.number(decay))" }
    return own.make().phrase
  }

  private var method: TrainingReport.Method {
    let sampling =
      switch batches?.sampling {
      case nil: "all samples at each step"
      case .shuffle: "shuffled, without replacement"
      case .replacement: "with replacement"
      }
    return .init(
      name: request.optimizer.name,
      phrase: phrase + (request.then.map { ", then \($0.make().phrase)" } ?? ""),
      schedule: parts.schedule.phrase, batch: batches?.size, sampling: sampling)
  }

  private func facts(loss: Double?, gradientNorm: Double) -> DiagnosisReport.Problem {
    let problem = data.training
    return DiagnosisReport.Problem(
      parameters: problem.start.count, samples: problem.sampleCount,
      features: problem.table?.featureCount, loss: loss,
      gradientNorm: gradientNorm.isFinite ? gradientNorm : nil, seed: request.resources.seed,
      precision: Scalar.precisionName, executor: surroundings.executor.name, name: problem.name,
      model: problem.modelName, lossName: problem.lossName, target: problem.targetName,
      optimizer: request.optimizer.name, at: 0, l2: problem.l2, notes: notes,
      data: problem.dataName,
      layers: problem.table == nil ? problem.parameters.layers.count : nil,
      isQuadratic: problem.isQuadratic, readings: problem.readings)
  }

  /// What to do after such an ending.
  private func next(
    _ ending: TrainingEnding, _ trainer: Trainer<Scalar>, _ heldOut: TrainingReport.HeldOut?,
    _ result: TrainingReport.Result
  ) -> [String] {
    var next: [String] = []
    switch ending.reason {
    case .nonFinite:
      next.append(
        "Lower --lr, or hold the gradient with --clip-norm; `eigenstep diagnose` with --optimizer and --lr "
          + "says where the limit is at the start.")
      if let folder = request.files.checkpoints {
        next.append(
          "The checkpoints in '\(Printable.line(folder))' are from before; no parameters were saved."
        )
      }
    case .interrupted:
      next.append(
        request.files.checkpoints == nil
          ? "Nothing was kept to go on from; --checkpoint FOLDER keeps it."
          : "Add --resume to go on.")
    case .worse:
      next.append(
        "Lower --lr, or let --lr auto choose it; `eigenstep diagnose` with --optimizer and --lr says where the "
          + "limit is at the start.")
    case .alarm:
      next.append("Lower --lr, or let --guard lower-rate do it.")
    case .earlyStop, .finished, .method: break
    }
    if request.guarding == .lowerRate, ending.reason == .finished,
      let rates = trainer.history.rates,
      trainer.history.alarmCount > 0, rates.last < rates.first
    {
      next.append(
        "The guard lowered the rate, at the end to \(Wording.number(rates.last)): begin with that, or see by "
          + "`eigenstep diagnose` what the limit comes from.")
    }
    if result == .best, let stopping = trainer.stopping, let best = stopping.best {
      next.append(
        "The parameters are those of step \(Wording.count(stopping.bestStep)), where the held-out loss was "
          + "lowest, \(Wording.number(best)).")
    } else if let heldOut, let lowest = heldOut.lowest, let step = heldOut.lowestStep,
      let last = heldOut.after.loss, last > 1.02 * lowest, step < trainer.run.stepCount,
      ending.reason == .finished
    {
      next.append(
        "The held-out loss was lowest after step \(Wording.count(step)), \(Wording.number(lowest)), and is "
          + "\(Wording.number(last)) now; --patience stops there.")
    }
    return next
  }
}
