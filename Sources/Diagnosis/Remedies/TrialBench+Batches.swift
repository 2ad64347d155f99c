import Curvature
import LinearMaps
import Training

/// Runs in the user's mini-batches.
extension TrialBench {
  /// An optimizer for all passes in batches, once in each order of them; its losses are the means over the orders
  /// at the start and at the end of each pass, over all samples. The first order that diverges tells all.
  func run(
    in setting: BatchSetting, _ objective: any Loss<Scalar>, _ optimizer: any Optimizer,
    rate: Double, from start: [Scalar], theory: Theory, extraOperations: Double, keepsEnd: Bool,
    _ form: TrialForm
  ) throws -> Outcome {
    var runs: [Outcome] = []
    for order in 0..<max(1, setting.orders) {
      let outcome = try run(
        in: setting, order: order, objective, optimizer, rate: rate, from: start, theory: theory,
        extraOperations: extraOperations, keepsEnd: keepsEnd && order == 0, form)
      guard !outcome.isDiverged, !outcome.wasCancelled else { return outcome }
      runs.append(outcome)
    }
    var result = runs[0]
    func mean(_ values: [[Double]]) -> [Double] {
      values[0].indices.map { index in
        values.reduce(0) { $0 + $1[index] } / Double(values.count)
      }
    }
    result.losses = mean(runs.map(\.losses))
    let gaps = runs.compactMap(\.exactGaps)
    if gaps.count == runs.count { result.exactGaps = mean(gaps) }
    result.orders = runs.flatMap(\.orders)
    return result
  }

  /// The same in one order.
  private func run(
    in setting: BatchSetting, order: Int, _ objective: any Loss<Scalar>,
    _ optimizer: any Optimizer, rate: Double, from start: [Scalar], theory: Theory,
    extraOperations: Double, keepsEnd: Bool, _ form: TrialForm
  ) throws -> Outcome {
    let run = try TrainingRun(
      objective, optimizer, rate: rate, from: start,
      gradients: .batches(setting.batches(order: order)), rules: form.rules)
    let window = form.endsAtZero(steps: setting.steps) ? 1 : setting.window
    let scale = max(abs(startLoss), 1e-300)
    var pace = form.schedule.map {
      TrialPace<Scalar>(
        $0, rate: rate, stepCount: setting.steps, stepsPerPass: setting.perPass, seed: form.seed)
    }
    var losses = [try objective.value(at: start)]
    var gaps = theory.modes.map { [$0.relativeGap(at: start.map { Double($0) }) ?? .nan] }
    // What a run is judged by is no part of its work.
    var work = [0.0]
    var course = TrainingCourse(optimizer, rate: rate, form, objective.parameters)
    course?.batch = setting.batches.size
    course?.sampling = setting.batches.sampling
    course?.epochs = setting.passes
    func outcome(diverged: Bool = false, cancelled: Bool = false) -> Outcome {
      Outcome(
        losses: losses, isDiverged: diverged, wasCancelled: cancelled,
        operationsPerStep: (work.last ?? 0) / Double(max(1, losses.count - 1)),
        extraOperations: extraOperations, limit: setting.steps,
        end: keepsEnd ? run.parameters : nil, course: course, workPath: work, exactGaps: gaps,
        stepsInBatches: run.stepCount, lastRate: pace == nil ? nil : run.rate,
        orders: [(Array(losses.suffix(window)), gaps.map { Array($0.suffix(window)) })])
    }
    for _ in 0..<setting.passes {
      let spent = objective.operations
      for _ in 0..<setting.perPass {
        try pace?.setRate(of: run)
        guard try run.step().loss.isFinite else {
          losses.append(.infinity)
          work.append((work.last ?? 0) + objective.operations - spent)
          return outcome(diverged: true)
        }
        if context.isCancelled() { return outcome(cancelled: true) }
      }
      work.append((work.last ?? 0) + objective.operations - spent)
      let point = run.parameters
      let loss = try objective.value(at: point)
      losses.append(loss)
      if let modes = theory.modes {
        gaps?.append(modes.relativeGap(at: point.map { Double($0) }) ?? .nan)
      }
      guard loss.isFinite, loss - startLoss <= 1e16 * scale else {
        return outcome(diverged: true)
      }
    }
    let end = losses.suffix(window)
    let mean = end.reduce(0, +) / Double(end.count)
    return outcome(diverged: mean - startLoss > 100 * scale)
  }

  /// The figures of a run in the user's batches, or of one on all samples for the work of as many passes.
  ///
  /// Without a certified minimum runs are compared by their losses at the end.
  func measured(
    _ outcome: Outcome, in setting: BatchSetting
  ) -> Prescription.Measured {
    let isBatched = outcome.stepsInBatches != nil
    let orders = outcome.orders
    let count = isBatched ? max(1, orders.first?.losses.count ?? 1) : 1
    // One order has the scatter of its last passes alone.
    func judged(_ own: [[Double]], _ all: [Double]) -> (mean: Double, error: Double?) {
      own.count > 1
        ? Self.mean(own.map { Self.mean($0[...]).mean }[...]) : Self.mean(all.suffix(count))
    }
    let losses = judged(orders.map(\.losses), outcome.losses)
    let gaps = outcome.exactGaps.map { judged(orders.compactMap(\.gaps), $0) }
      .flatMap { $0.mean.isFinite ? $0 : nil }
    let span = referenceLoss.map { startLoss - $0 }
    let loss = outcome.isDiverged || !losses.mean.isFinite ? nil : losses.mean
    var gap: (mean: Double, error: Double?)?
    if let loss, let referenceLoss, let span, span > 0 {
      gap = gaps ?? ((loss - referenceLoss) / span, losses.error.map { $0 / span })
    }
    // A training draws the first order.
    let end = (orders.first?.losses.last ?? outcome.losses.last).flatMap { $0.isFinite ? $0 : nil }
    let perOrder = orders.map { order -> Double in
      let own = Self.mean(order.losses[...]).mean
      guard gap != nil, let referenceLoss, let span else { return own }
      return (gaps == nil ? nil : order.gaps).map { Self.mean($0[...]).mean }
        ?? (own - referenceLoss) / span
    }
    return Prescription.Measured(
      iterations: nil, reached: false, diverged: outcome.isDiverged, loss: loss,
      relativeGap: gap?.mean,
      gradientEquivalents: outcome.operations(after: outcome.losses.count - 1)
        / gradientOperations,
      stepsRun: outcome.stepsInBatches ?? max(0, outcome.losses.count - 1),
      lossAtEqualWork: referenceLoss == nil ? loss : nil, rate: outcome.chosenRate,
      lossAtEnd: end, settled: outcome.isSettled, sharpnessAtEnd: outcome.sharpnessAtEnd,
      inBatches: .init(
        batch: isBatched ? setting.batches.size : nil, passes: setting.passes,
        averaged: isBatched ? count : nil, lossError: isBatched ? losses.error : nil,
        gapError: isBatched ? gap?.error : nil,
        orders: isBatched && loss != nil && perOrder.count > 1 && perOrder.allSatisfy(\.isFinite)
          ? perOrder : nil))
  }

  /// The figures of Newton's method for the work of as many passes.
  func measured(
    _ path: [NewtonCG<Scalar>.Point], extraOperations: Double, in setting: BatchSetting
  ) -> Prescription.Measured {
    let most = setting.work * gradientOperations
    let last = path.last { $0.operations + extraOperations <= most } ?? path[0]
    let loss = last.loss.isFinite ? last.loss : nil
    return Prescription.Measured(
      iterations: nil, reached: false, diverged: loss == nil, loss: loss,
      relativeGap: referenceLoss == nil ? nil : last.relativeGap ?? loss.flatMap(gap)?.value,
      gradientEquivalents: (last.operations + extraOperations) / gradientOperations,
      stepsRun: max(0, (path.lastIndex { $0.operations == last.operations }) ?? 0),
      lossAtEqualWork: referenceLoss == nil ? loss : nil, lossAtEnd: loss, settled: true,
      inBatches: .init(batch: nil, passes: setting.passes))
  }

  /// With the standard error, nil for a single value.
  private static func mean(_ values: ArraySlice<Double>) -> (mean: Double, error: Double?) {
    let n = Double(max(1, values.count))
    let mean = values.reduce(0, +) / n
    guard values.count > 1, mean.isFinite else { return (mean, nil) }
    let square = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (mean, (square / (n * (n - 1))).squareRoot())
  }
}
