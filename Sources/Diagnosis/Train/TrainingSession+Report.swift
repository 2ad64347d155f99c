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
      next: advice(ending, trainer, before, after, heldOut, result),
      checkpoints: request.files.checkpoints.map {
        .init(folder: $0, newest: place.newest, step: place.step)
      }, standardisation: standardisation, result: result, request: request)
    let numbers = point.map { Double($0) }
    var trained = TrainingResult(
      report: report, parameters: result == .none ? [] : named(numbers))
    if result != .none, let table = data.training.table, table.isLinearInParameters,
      let scaling = table.scaling
    {
      trained.ofGivenColumns = named(scaling.restored(numbers, outputs: table.outputCount))
    }
    return trained
  }

  /// Numbers by the parameters that they are of.
  private func named(_ numbers: [Double]) -> [TrainingResult.NamedValues] {
    var offset = 0
    return data.training.parameters.map { parameter in
      defer { offset += parameter.shape.count }
      return TrainingResult.NamedValues(
        name: parameter.name, shape: parameter.shape.dimensions,
        values: Array(numbers[offset..<offset + parameter.shape.count]))
    }
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
      phrase: request.rules.phrase(request.optimizer)
        + (request.then.map { ", then \($0.make().phrase)" } ?? ""),
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
}
