import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// One sweep: the problem at its start, and the rates and seeds to be tried on it.
struct SweepSession<Scalar: LinearMapScalar> {
  let start: StartedProblem<Scalar>
  let request: SweepRequest
  let heldOut: DiagnosisProblem?
  let rules: StepRules

  private var loss: any Loss<Scalar> { start.objective }

  /// A lane at its end.
  private struct Ended {
    var course: LaneCourse<Scalar>
    /// Over all samples; nil where it is not finite.
    var loss: Double?
    /// Over the samples that are held out.
    var heldOut: Double?
  }

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
    let batches = try (0..<request.seeds).map(batches)
    let steps = try steps(batches[0])
    try SchedulePlan(request.schedule, warmUp: request.warmUp).checkStretches(steps: steps)
    let lanes = request.rates.rates.flatMap { rate in
      (0..<request.seeds).map {
        SweepLane(rate: rate, start: starts[$0], batches: batches[$0])
      }
    }
    let sweep = try SweepRun(loss, start.optimizer, lanes: lanes, rules: rules)
    let startLosses = try starts.map { try loss.value(at: $0) }
    let heldOutLoss = try heldOut.map {
      try $0.loss(
        executor: start.executor, memory: request.resources.memory, context: start.context)
        as any Loss<Scalar>
    }
    var ended = [Ended?](repeating: nil, count: lanes.count)
    let cut = try sweep.train(
      steps: steps, schedule: schedule,
      progress: {
        start.context.report("training \(Wording.count(lanes.count, "run"))", fraction: $0)
        try start.context.checkCancellation()
      },
      finished: { lane, course in
        var end = Ended(course: course)
        if course.brokenAt == nil {
          end.loss = finite(try loss.value(at: course.parameters))
          end.heldOut = try heldOutLoss.flatMap { finite(try $0.value(at: course.parameters)) }
        }
        ended[lane] = end
      })
    var taken = steps
    var seeds = Array(0..<request.seeds)
    if let cut { (ended, taken, seeds) = try rest(ended, cut, batches[0], steps) }
    let judged = judged(ended, seeds, startLosses)
    guard judged.contains(where: { $0.brokenAt != 0 }) else {
      throw DiagnosisFailure(
        .badData,
        "The squares of the gradient are not finite before the first step, at whatever rate; look for "
          + "numbers in the data or the parameters that are too large.")
    }
    let startLoss = seeds.reduce(0) { $0 + startLosses[$1] } / Double(seeds.count)
    var report = SweepReport(
      problem: start.facts, method: request.phrase, steps: taken, rates: judged,
      boundary: SweepReport.boundary(judged), lanesPerChunk: sweep.chunks.map(\.count).max() ?? 1)
    report.best = SweepReport.best(judged, start: startLoss, precision: Double(Scalar.ulpOfOne))
    var words = SweepWords(
      optimizer: start.optimizer, schedule: schedule, request: request, startLoss: startLoss)
    if cut != nil {
      words.interruption =
        "Interrupted: \(Wording.count(judged.count)) of the \(Wording.count(request.rates.count, "rate"))"
        + (request.seeds > 1 ? ", with \(Wording.count(seeds.count, "seed"))," : "")
        + (taken < steps
          ? " had taken \(Wording.count(taken)) of \(Wording.count(steps, "step")), and each loss is the mean "
            + "of its last pass."
          : " had come to their end.")
    } else {
      report.limits = try limits(
        report.best, starts[0], batches[0], steps, words: &words,
        end: { rate in ended[request.rates.rates.firstIndex(of: rate)! * request.seeds]?.course })
      try examine(&report, starts[0], batches[0], steps, words: &words)
    }
    report.sentences = words.sentences(report)
    return report
  }

  private func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }

  private var schedule: any Schedule {
    SchedulePlan(request.schedule, warmUp: request.warmUp).make()
  }

  /// The rates with what their runs came to.
  private func judged(
    _ ended: [Ended?], _ seeds: [Int], _ startLosses: [Double]
  ) -> [SweepReport.Rate] {
    request.rates.rates.enumerated().compactMap { index, rate in
      let mine = seeds.compactMap { ended[index * request.seeds + $0] }
      guard mine.count == seeds.count else { return nil }
      let fates = zip(seeds, mine).map { seed, end in
        RunFate(start: startLosses[seed], losses: end.course.losses, end: end.loss)
      }
      func mean(_ values: [Double?]) -> Double? {
        let known = values.compactMap { $0 }
        return known.count == values.count ? known.reduce(0, +) / Double(known.count) : nil
      }
      return SweepReport.Rate(
        rate: rate, losses: mine.map(\.loss), mean: mean(mine.map(\.loss)),
        heldOut: heldOut == nil ? nil : mean(mine.map(\.heldOut)),
        isDiverged: fates.contains(where: \.isDiverged),
        isAboveStart: fates.contains(where: \.isAboveStart),
        brokenAt: mine.compactMap(\.course.brokenAt).min())
    }
  }

  /// What an interrupted sweep can be judged by: the seeds that all rates have come to their end with; else the
  /// rates that one seed has; else the steps that the runs at work have taken.
  private func rest(
    _ ended: [Ended?], _ cut: CutSweep<Scalar>, _ batches: Batches?, _ steps: Int
  ) throws -> ([Ended?], taken: Int, seeds: [Int]) {
    let count = request.seeds
    let whole = (0..<count).filter { seed in
      stride(from: seed, to: ended.count, by: count).allSatisfy { ended[$0] != nil }
    }
    if !whole.isEmpty { return (ended, steps, whole) }
    if ended.contains(where: { $0 != nil }) { return (ended, steps, [0]) }
    let perPass = batches.map { $0.stepsPerPass(start.problem.sampleCount) } ?? 1
    var partial = ended
    for (lane, course) in cut.courses {
      let pass = course.losses.suffix(perPass)
      let mean = pass.reduce(0, +) / Double(pass.count)
      partial[lane] = Ended(course: course, loss: course.brokenAt == nil ? finite(mean) : nil)
    }
    guard cut.steps > 0, let first = cut.courses.first else { throw cut.error }
    return (partial, cut.steps, [first.lane % count])
  }

  /// Where each seed starts: weights of its own for a table's network, else the one start that there is.
  private var starts: [[Scalar]] {
    (0..<request.seeds).map { seed in
      guard var table = start.problem.table, seed > 0 else { return start.point }
      table.seed += seed
      return table.start()
    }
  }

  private func batches(_ seed: Int) throws -> Batches? {
    try request.batch.map { size in
      var setup = BatchSetup(size: size)
      setup.sampling = request.sampling ?? setup.sampling
      return try setup.batches(
        of: start.problem.sampleCount, seed: Resources.probeSeed(request.resources.seed + seed))
    }
  }

  /// Of each run.
  private func steps(_ batches: Batches?) throws -> Int {
    if let steps = request.steps { return steps }
    return try TrainingSetup.steps(
      passes: request.epochs ?? (request.batch == nil ? 200 : 5),
      of: batches.map { $0.stepsPerPass(start.problem.sampleCount) } ?? 1)
  }

  /// The range test and the rate of `--lr auto`, where they were asked for.
  private func examine(
    _ report: inout SweepReport, _ first: [Scalar], _ batches: Batches?, _ steps: Int,
    words: inout SweepWords
  ) throws {
    if request.rangeTest {
      start.context.report("range test")
      report.rangeTest = try RangeTest(
        loss, start.optimizer, from: first, gradients: batches.map { .batches($0) } ?? .allSamples,
        rules: rules, lower: request.rates.lower, upper: request.rates.upper)
    }
    guard request.auto else { return }
    switch try chooseRate(
      loss, start.optimizer, from: first, batches: batches, schedule: schedule, steps: steps,
      rules: rules, seed: request.resources.seed, context: start.context)
    {
    case .rate(let rate): report.auto = rate
    case .refused(let reason): words.refusal = reason
    }
  }

  private func limits(
    _ best: SweepReport.Best?, _ first: [Scalar], _ batches: Batches?, _ steps: Int,
    words: inout SweepWords, end: (Double) -> LaneCourse<Scalar>?
  ) throws -> [SweepReport.Limit] {
    start.context.report("curvature")
    var limits: [SweepReport.Limit] = []
    let seed = request.resources.seed
    func add(
      _ place: SweepReport.Limit.Place, at point: [Scalar], _ preconditioner: [Double]?
    ) throws {
      switch try StepLimit.measured(
        loss, start.optimizer, at: point, preconditioner: preconditioner, seed: seed)
      {
      case .success(let limit):
        limits.append(
          .init(
            place: place, rate: limit.rate, sharpness: limit.sharpness,
            isPreconditioned: limit.isPreconditioned))
      case .failure(.noPreconditioner) where place == .start: break
      case .failure(let absence): words.absence = absence
      }
    }
    try add(.start, at: first, nil)
    guard let best, let course = end(best.rate) else { return limits }
    guard start.optimizer.stability?.isPreconditioned == true else {
      if start.optimizer.stability != nil { try add(.end, at: course.parameters, nil) }
      return limits
    }
    // The best run once more, for what its optimizer remembers at the end.
    let run = try TrainingRun(
      loss, start.optimizer, rate: best.rate, from: first,
      gradients: batches.map { .batches($0) } ?? .allSamples, rules: rules)
    var schedule = schedule
    let perPass = batches.map { $0.stepsPerPass(start.problem.sampleCount) } ?? 1
    for step in 0..<steps {
      run.rate = schedule.rate(
        ScheduleMoment(step: step, stepCount: steps, stepsPerPass: perPass, rate: best.rate))
      try run.step()
      try start.context.checkCancellation()
    }
    let preconditioner = start.optimizer.preconditioner(
      state: { run.state($0).map { Double($0) } }, step: steps)
    try add(.end, at: run.parameters, preconditioner)
    return limits
  }
}
