import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// One sweep: the problem at its start, and the rates and seeds to be tried on it.
struct SweepSession<Scalar: LinearMapScalar> {
  let start: StartedProblem<Scalar>
  let request: SweepRequest

  private var loss: any Loss<Scalar> { start.objective }

  /// - Throws: `DiagnosisFailure`, `TrainingError`; what the executor throws.
  func report() throws -> SweepReport {
    try start.problem.requireSquarable(Scalar.self)
    guard start.loss.isFinite, start.gradientNorm.isFinite else {
      throw DiagnosisFailure(
        .badData,
        "The \(start.loss.isFinite ? "gradient" : "loss") is not finite at the start, so that no rate "
          + "can be tried; look for numbers in the data or the parameters that are not finite or too "
          + "large.")
    }
    let starts = starts
    if request.seeds > 1, request.batch == nil, starts.allSatisfy({ $0 == starts[0] }) {
      throw DiagnosisFailure(
        .usage,
        "\(Wording.count(request.seeds)) seeds on all samples from the same start would be the same run; "
          + "leave --seeds out, or give a --batch.")
    }
    let lanes = request.rates.rates.flatMap { rate in
      (0..<request.seeds).map { seed in
        SweepLane(rate: rate, start: starts[seed], batches: batches(seed))
      }
    }
    let sweep = try SweepRun(loss, start.optimizer, lanes: lanes)
    let schedule = request.schedule.make()
    let courses = try sweep.train(steps: steps, schedule: schedule) {
      start.context.report("training \(Wording.count(lanes.count, "run"))", fraction: $0)
      try start.context.checkCancellation()
    }
    let startLosses = try starts.map { try loss.value(at: $0) }
    var rates: [SweepReport.Rate] = []
    for (index, rate) in request.rates.rates.enumerated() {
      let mine = courses[index * request.seeds..<(index + 1) * request.seeds]
      let losses = try mine.map {
        try $0.brokenAt == nil ? finite(loss.value(at: $0.parameters)) : nil
      }
      let isWorse = zip(losses, startLosses).contains { loss, start in
        loss.map { $0 > start } ?? true
      }
      let known = losses.compactMap { $0 }
      rates.append(
        SweepReport.Rate(
          rate: rate, losses: losses,
          mean: known.count == losses.count ? known.reduce(0, +) / Double(known.count) : nil,
          isDiverged: isWorse, brokenAt: mine.compactMap(\.brokenAt).min()))
    }
    var report = SweepReport(
      problem: start.facts, steps: steps, rates: rates, boundary: Self.boundary(rates),
      lanesPerChunk: sweep.chunks.map(\.count).max() ?? 1)
    report.best = Self.best(rates)
    report.limits = try limits(report.best, starts[0])
    if request.rangeTest {
      start.context.report("range test")
      report.rangeTest = try RangeTest(
        loss, start.optimizer, from: starts[0],
        gradients: batches(0).map { .batches($0) } ?? .allSamples, lower: request.rates.lower,
        upper: request.rates.upper)
    }
    var refusal: String?
    if request.auto {
      switch try chooseRate(
        loss, start.optimizer, from: starts[0], batches: batches(0), schedule: schedule,
        steps: steps, seed: request.resources.seed, context: start.context)
      {
      case .rate(let rate): report.auto = rate
      case .refused(let reason): refusal = reason
      }
    }
    report.sentences = report.explanation(
      optimizer: start.optimizer, schedule: schedule, batch: request.batch)
    if let auto = report.auto {
      report.sentences.append("Chosen before the sweep, as by --lr auto: \(auto.sentence)")
    } else if let refusal {
      report.sentences.append("No rate is chosen by --lr auto: \(refusal)")
    }
    return report
  }

  private func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }

  /// Where each seed starts: weights of its own for a table's network, else the one start that there is.
  private var starts: [[Scalar]] {
    (0..<request.seeds).map { seed in
      guard var table = start.problem.table, seed > 0 else { return start.point }
      table.seed += seed
      return table.start()
    }
  }

  private func batches(_ seed: Int) -> Batches? {
    request.batch.map {
      Batches(size: $0, seed: Resources.probeSeed(request.resources.seed + seed))
    }
  }

  /// Of each run.
  private var steps: Int {
    let perPass = batches(0).map { $0.stepsPerPass(start.problem.sampleCount) } ?? 1
    return request.steps ?? perPass * (request.epochs ?? (request.batch == nil ? 200 : 5))
  }

  private func limits(
    _ best: SweepReport.Best?, _ first: [Scalar]
  ) throws -> [SweepReport.Limit] {
    start.context.report("curvature")
    var limits: [SweepReport.Limit] = []
    func add(_ place: SweepReport.Limit.Place, _ limit: StepLimit?) {
      guard let limit else { return }
      limits.append(
        .init(
          place: place, rate: limit.rate, sharpness: limit.sharpness,
          isPreconditioned: limit.isPreconditioned))
    }
    let seed = request.resources.seed
    add(
      .start,
      try StepLimit(
        loss, start.optimizer, at: first, preconditioner: nil, seed: seed))
    guard let best else { return limits }
    // The best run once more, for what its optimizer remembers at the end.
    let run = try TrainingRun(
      loss, start.optimizer, rate: best.rate, from: first,
      gradients: batches(0).map { .batches($0) } ?? .allSamples)
    var schedule = request.schedule.make()
    let perPass = batches(0).map { $0.stepsPerPass(start.problem.sampleCount) } ?? 1
    for step in 0..<steps {
      run.rate = schedule.rate(
        ScheduleMoment(step: step, stepCount: steps, stepsPerPass: perPass, rate: best.rate))
      try run.step()
      try start.context.checkCancellation()
    }
    let preconditioner = start.optimizer.preconditioner(
      state: { run.state($0).map { Double($0) } }, step: steps)
    add(
      .end,
      try StepLimit(
        loss, start.optimizer, at: run.parameters, preconditioner: preconditioner, seed: seed))
    return limits
  }
}

extension SweepSession {
  static func boundary(_ rates: [SweepReport.Rate]) -> SweepReport.Boundary {
    let first = rates.firstIndex(where: \.isDiverged)
    let stable = (first ?? rates.count) - 1
    return SweepReport.Boundary(
      stable: stable >= 0 ? rates[stable].rate : nil, diverged: first.map { rates[$0].rate })
  }

  /// The least mean loss, with the rates beside it that the seeds do not tell from it: those whose mean
  /// difference, seed by seed, is within its 95 % interval of zero. With one seed the next rates on either
  /// side, between which the best of all lies if the losses have one valley.
  static func best(_ rates: [SweepReport.Rate]) -> SweepReport.Best? {
    let open = rates.indices.filter { !rates[$0].isDiverged && rates[$0].mean != nil }
    guard let best = open.min(by: { rates[$0].mean! < rates[$1].mean! }) else { return nil }
    func isAlike(_ index: Int) -> Bool {
      guard rates[index].mean != nil else { return false }
      let differences = zip(rates[index].losses, rates[best].losses).map { $0! - $1! }
      let count = Double(differences.count)
      let mean = differences.reduce(0, +) / count
      let variance = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
      return mean <= studentQuantile(0.975, freedom: differences.count - 1)
        * (variance / count).squareRoot()
    }
    var (lower, upper) = (best, best)
    if rates[best].losses.count > 1 {
      while open.contains(lower - 1), isAlike(lower - 1) { lower -= 1 }
      while open.contains(upper + 1), isAlike(upper + 1) { upper += 1 }
    } else {
      if open.contains(lower - 1) { lower -= 1 }
      if open.contains(upper + 1) { upper += 1 }
    }
    let (rate, loss) = (rates[best].rate, rates[best].mean!)
    let seeds = rates[best].losses.count
    return SweepReport.Best(
      rate: rate, loss: loss, lower: rates[lower].rate, upper: rates[upper].rate,
      sentence:
        "Use \(Wording.number(rate)): it ended at the least loss, \(Wording.number(loss, digits: 4))"
        + (seeds > 1
          ? " in the mean over \(seeds) seeds; from \(Wording.number(rates[lower].rate)) to "
            + "\(Wording.number(rates[upper].rate)) the seeds do not tell the losses apart."
          : "; around it those from \(Wording.number(rates[lower].rate)) to "
            + "\(Wording.number(rates[upper].rate)) were tried, and one seed does not say how sure that is.")
    )
  }
}

extension SweepReport {
  /// The report in sentences, each true of the runs beside it.
  func explanation(
    optimizer: any Optimizer, schedule: any Schedule, batch: Int?
  ) -> [String] {
    var sentences: [String] = []
    if let best {
      sentences.append(best.sentence)
      if best.rate == rates.last?.rate {
        sentences.append(
          "The best is the largest rate that was tried, so a larger one may be better; widen --lr.")
      } else if best.rate == rates.first?.rate {
        sentences.append(
          "The best is the smallest rate that was tried, so a smaller one may be better; widen --lr."
        )
      } else if let diverged = boundary.diverged, boundary.stable == best.rate {
        sentences.append(
          "The next rate that was tried, \(Wording.number(diverged)), diverged: the best is close to the "
            + "edge, and half of it is safer.")
      }
    } else {
      sentences.append("Every rate that was tried diverged; widen --lr to smaller ones.")
    }
    switch (boundary.stable, boundary.diverged) {
    case (let stable?, let diverged?):
      sentences.append(
        "The smallest rate at which a run diverged is \(Wording.number(diverged)); at "
          + "\(Wording.number(stable)) and below none did.")
    case (nil, let diverged?):
      sentences.append("Runs diverged from the smallest rate on, \(Wording.number(diverged)).")
    case (_, nil):
      sentences.append("No run diverged.")
    }
    let setting = [
      schedule.name == "constant" ? nil : "the schedule \(schedule.name)",
      batch.map { "batches of \($0)" },
    ].compactMap { $0 }
    for limit in limits {
      sentences.append(
        "The curvature \(limit.place == .start ? "at the start" : "where the best run ended") predicts a "
          + "limit of \(Wording.number(limit.rate)): the largest eigenvalue of the "
          + "\(limit.isPreconditioned ? "preconditioned " : "")Hessian is "
          + "\(Wording.number(limit.sharpness)) there. It is that of \(optimizer.phrase) at a constant rate "
          + "on all samples\(setting.isEmpty ? "" : ", and these runs had \(Wording.list(setting))")."
      )
    }
    if let test = rangeTest {
      sentences.append(
        test.suggestion.map {
          "The range test suggests \(Wording.number($0)), where its smoothed loss fell steepest."
        } ?? "The range test suggests no rate: its smoothed loss never fell.")
    }
    return sentences
  }
}
