import Curvature
import Foundation
import LinearMaps
import Training

/// What theory says of training in mini-batches, and a run beside it.
struct MiniBatchStudy<Scalar: LinearMapScalar> {
  let measured: Measurements<Scalar>
  let batch: Int

  var start: StartedProblem<Scalar> { measured.start }
  var training: TrainingSetup { start.request.training }
  var seed: UInt64 { start.request.resources.probeSeed }
  var sampling: Batches.Sampling { training.sampling ?? .shuffle }
  /// Of the data that are trained on, however few of them are diagnosed.
  var sampleCount: Int { start.whole?.count ?? start.problem.sampleCount }

  /// Entries of rows times directions up to which a product with second moments is made a few hundred times.
  private static var mostWork: Double { 6e6 }

  /// Nil where training is on all samples, or on what has no samples.
  init?(_ measured: Measurements<Scalar>) {
    guard let batch = measured.start.request.training.batch,
      measured.start.objective.objective != nil
    else { return nil }
    self.measured = measured
    self.batch = batch
  }

  /// - Throws: what the executor throws.
  func study() throws -> MiniBatches {
    let n = sampleCount
    let batches = Batches(size: batch, seed: seed, sampling: sampling)
    let rest = n % batch
    var result = MiniBatches(
      batch: batch, sampling: sampling, stepsPerPass: batches.stepsPerPass(n),
      lastBatch: sampling == .shuffle && rest > 0 ? rest : nil,
      basis: .gradientNoise, samplesUsed: n, limit: nil, passLimit: nil,
      limitOnAll: measured.facts.stabilityLimit, rate: training.rate, floor: nil, run: nil,
      halfLimitBatch: nil, noiseScale: nil, limits: [], binds: nil, trials: [], note: nil)
    let noise = try start.ifMeasurable { try gradientNoise() }
    result.noiseScale = noise?.simple
    if let place = try place(), let method = HeavyBallForm(start.optimizer) {
      try fill(&result, place, method, batches)
    } else {
      result.note =
        HeavyBallForm(start.optimizer) == nil
        ? "of \(start.optimizer.phrase) on mini-batches no limit and no floor is known"
        : "limit and floor are known for linear, logistic and softmax models of tables"
      if let rate = training.rate, start.request.trials.areRun {
        result.trials = try trials(result, nil, rate: rate) { _, _, _ in nil }
      }
    }
    result.binds = binding(result)
    return result
  }

  // MARK: Where the samples are taken

  private struct Place {
    /// At the minimum where there is one, and at the point of diagnosis.
    var rows: SampleRows
    var here: SampleRows
    var basis: MiniBatches.Basis
    var used: Int
  }

  /// The samples at the minimum where there is one, else at the point; nil for what is no table's linear model.
  private func place() throws -> Place? {
    guard let table = start.problem.table, start.whole == nil || start.problem.isQuadratic else {
      return nil
    }
    var point = start.point.map { Double($0) }
    var basis = MiniBatches.Basis.leastSquares
    if !start.problem.isQuadratic {
      let minimum = measured.finiteMinimum.isAbsent ? nil : try newtonMinimum(table, from: point)
      basis = minimum == nil ? .bowlHere : .bowlAtMinimum
      point = minimum ?? point
    }
    let d = Double(point.count)
    guard d <= 150 else { return nil }
    let affordable = Int(Self.mostWork / (d * d * Double(table.outputCount)))
    var chosen = table
    if table.sampleCount > affordable {
      guard Double(affordable) >= 4 * d else { return nil }
      var generator = SeededGenerator(seed: seed)
      chosen = table.rows(
        at: Array((0..<table.sampleCount).shuffled(using: &generator).prefix(affordable)))
    }
    guard let rows = chosen.sampleRows(at: point),
      let here = basis == .bowlAtMinimum
        ? chosen.sampleRows(at: start.point.map { Double($0) }) : rows
    else { return nil }
    return Place(rows: rows, here: here, basis: basis, used: chosen.sampleCount)
  }

  /// By Newton's method on the table's own rows; nil where it does not settle.
  private func newtonMinimum(_ table: TabularProblem, from start: [Double]) throws -> [Double]? {
    var x = start
    var value = try self.start.objective.value(at: x.map { Scalar($0) })
    for _ in 0..<60 {
      guard let modes = self.start.modes(of: table, at: x.map { Scalar($0) }) else { return nil }
      if modes.initialGap <= 1e-10 * max(abs(value), 1e-300) { return x }
      var share = 1.0
      var isLower = false
      for _ in 0..<30 where !isLower {
        let next = zip(x, modes.minimiser).map { $0 + share * ($1 - $0) }
        let other = try self.start.objective.value(at: next.map { Scalar($0) })
        if other < value { (x, value, isLower) = (next, other, true) }
        share /= 2
      }
      guard isLower else {
        return modes.initialGap <= 1e3 * Double(Scalar.ulpOfOne) * abs(value) ? x : nil
      }
    }
    return nil
  }

  // MARK: What theory says

  private func fill(
    _ result: inout MiniBatches, _ place: Place, _ method: HeavyBallForm, _ batches: Batches
  ) throws {
    result.basis = place.basis
    result.samplesUsed = place.used
    let plain = try place.rows.samples()
    guard let plain else { return }
    var divisor: [Double]?
    if method.isPreconditioned {
      divisor = start.preconditioner
      if let rate = training.rate, place.basis != .bowlHere, start.request.trials.areRun {
        (result.run, divisor) = try run(plain, rate: rate, batches)
      }
      guard divisor != nil else {
        result.note =
          "the limit of \(start.optimizer.phrase) depends on its second moments, which only a run tells"
        return
      }
    }
    guard let samples = divisor == nil ? plain : try place.rows.samples(divisor: divisor),
      let here = place.basis == .bowlAtMinimum
        ? try place.here.samples(divisor: divisor) : samples
    else { return }
    try fillLimits(&result, here, method, batches, isWhole: place.used == sampleCount)
    guard let rate = training.rate, place.basis != .bowlHere else { return }
    let shuffled =
      batches.sampling == .shuffle && place.used == sampleCount
      ? ReshuffledNoise(samples, batch: batch, momentum: method.momentum, seed: seed) : nil
    try fill(
      &result, rate: rate, samples, plain,
      ReplacementNoise(samples, batch: batch, momentum: method.momentum), shuffled, batches, method,
      isRun: result.run != nil)
  }

  /// The limits of this batch and of others.
  private func fillLimits(
    _ result: inout MiniBatches, _ samples: LeastSquaresSamples, _ method: HeavyBallForm,
    _ batches: Batches, isWhole: Bool
  ) throws {
    let noise = ReplacementNoise(samples, batch: batch, momentum: method.momentum)
    let unit = method.share
    let limit = try noise.limit() / unit
    result.limit = limit
    result.halfLimitBatch = try noise.halfLimitBatch()
    let n = sampleCount
    result.limits = try [batch / 4, batch / 2, batch, 2 * batch, 4 * batch]
      .filter { $0 >= 1 && $0 <= n }
      .map {
        .init(
          batch: $0,
          limit: $0 == batch
            ? limit
            : try ReplacementNoise(samples, batch: $0, momentum: method.momentum).limit() / unit)
      }
    let whole = (2 + 2 * method.momentum) / (samples.curvatures.last ?? 1)
    if method.isPreconditioned { result.limitOnAll = whole / unit }
    if batches.sampling == .shuffle, isWhole,
      let passes = ReshuffledNoise(samples, batch: batch, momentum: method.momentum, seed: seed)?
        .limit(below: whole)
    {
      result.passLimit = passes / unit
      result.limit = min(limit, passes / unit)
    }
  }

  /// The floor at the rate, and a run beside it.
  private func fill(
    _ result: inout MiniBatches, rate: Double, _ samples: LeastSquaresSamples,
    _ plain: LeastSquaresSamples, _ noise: ReplacementNoise, _ shuffled: ReshuffledNoise?,
    _ batches: Batches, _ method: HeavyBallForm, isRun: Bool
  ) throws {
    let own = rate * method.share
    if !isRun, start.request.trials.areRun { result.run = try run(plain, rate: rate, batches).run }
    if start.request.trials.areRun {
      result.trials = try trials(result, plain, rate: rate) { rate, batch, passes in
        try settled(samples, method, rate: rate, batch: batch, over: passes)
      }
    }
    guard start.optimizer.decay == 0 else {
      result.note = "weight decay moves the minimum, and no floor is predicted with it"
      return
    }
    let n = sampleCount
    let window = Self.window(result.run?.steps ?? 0, perPass: result.stepsPerPass)
    if batches.sampling == .replacement {
      guard let second = try noise.stationary(rate: own) else { return }
      let gap = samples.gap(second)
      result.floor = .init(
        end: gap, middle: gap, endError: 0, middleError: 0, relative: nil, steps: nil)
      let course = Self.course(
        second, samples, rate: own, momentum: method.momentum,
        steps: window.lowerBound * result.stepsPerPass..<window.upperBound * result.stepsPerPass)
      result.run?.predictedEnd = course
      result.run?.predictedMiddle = course
    } else if let shuffled, let passes = shuffled.passes(rate: own, work: 1e9) {
      result.floor = .init(
        end: passes.floor.end, middle: passes.floor.middle, endError: passes.floor.endError,
        middleError: passes.floor.middleError, relative: nil, steps: nil)
      if !(passes.floor.endError < 0.1 * passes.floor.end)
        || !(passes.floor.middleError < 0.1 * passes.floor.middle)
      {
        let far = passes.course(over: Self.farPasses)
        result.floor = .init(
          end: far.end, middle: far.middle, endError: nil, middleError: nil, relative: nil,
          steps: nil)
        result.note =
          "the flattest directions come to their share of the floor later than in "
          + "\(Self.farPasses.upperBound) passes, for which it is told"
      }
      if !window.isEmpty {
        let course = passes.course(over: window)
        result.run?.predictedEnd = course.end
        result.run?.predictedMiddle = course.middle
      }
    } else if shuffled == nil, method.momentum == 0 {
      // The gradient's noise as drawn without replacement, with that of the batches' curvatures added.
      var spread = samples.noise
      for _ in 0..<6 {
        guard
          let moments = QuadraticNoise(curvatures: samples.curvatures, noise: spread)
            .reshuffled(rate: own, batch: batch, samples: n)
        else { return }
        result.floor = .init(
          end: samples.gap(moments.end), middle: samples.gap(moments.middle), endError: nil,
          middleError: nil, relative: nil, steps: nil)
        let steps =
          window.lowerBound * result.stepsPerPass..<window.upperBound * result.stepsPerPass
        result.run?.predictedEnd = Self.course(
          moments.end, samples, rate: own, momentum: 0, steps: steps)
        result.run?.predictedMiddle = Self.course(
          moments.middle, samples, rate: own, momentum: 0, steps: steps)
        spread = zip(samples.noise, samples.spread(moments.middle)).map { $0 + $1 }
      }
      guard result.floor.map({ $0.end.isFinite && $0.middle.isFinite }) ?? false else {
        result.floor = nil
        result.run?.predictedEnd = nil
        result.run?.predictedMiddle = nil
        return
      }
    }
    complete(&result, rate: rate)
  }

  /// The mean gap over the ends of some passes of a run from the minimum; nil where it is not known.
  private func settled(
    _ samples: LeastSquaresSamples, _ method: HeavyBallForm, rate: Double, batch: Int,
    over passes: Range<Int>
  ) throws -> Double? {
    let own = rate * method.share
    if sampling == .replacement {
      let noise = ReplacementNoise(samples, batch: batch, momentum: method.momentum)
      let perPass = max(1, sampleCount / batch)
      return try noise.stationary(rate: own).flatMap {
        Self.course(
          $0, samples, rate: own, momentum: method.momentum,
          steps: passes.lowerBound * perPass..<passes.upperBound * perPass)
      }
    }
    guard samples.count == sampleCount,
      let noise = ReshuffledNoise(samples, batch: batch, momentum: method.momentum, seed: seed)
    else { return nil }
    return noise.passes(rate: own, precision: 0.03, work: 3e8)?.course(over: passes).end
  }

  /// The floor beside the loss gap at the point.
  private func complete(_ result: inout MiniBatches, rate: Double) {
    guard var floor = result.floor else { return }
    if let gap = gapHere, gap > 0 {
      floor.relative = floor.end / gap
      if floor.end < gap, start.optimizer.hasForecast, start.problem.isQuadratic {
        floor.steps = measured.survey.model.forecast(rate: rate, by: start.optimizer)?
          .iterations(toRelativeGap: floor.end / gap)
      }
    }
    result.floor = floor
  }

  /// The loss gap at the point of diagnosis, of a quadratic.
  private var gapHere: Double? { measured.exactLoss(measured.survey)?.initialGap }

  // MARK: What binds

  private func binding(_ result: MiniBatches) -> MiniBatches.Binding? {
    guard let rate = training.rate, let limit = result.limit else { return nil }
    if rate >= limit {
      return result.limitOnAll.map { rate < $0 } ?? true ? .noise : .sharpness
    }
    if let relative = result.floor?.relative, relative >= 0.1 { return .noise }
    if rate < 0.25 * limit { return .rate }
    let condition =
      measured.survey.workingConditionNumber ?? measured.survey.effectiveConditionNumber ?? 1
    return condition >= 100 ? .conditioning : .sharpness
  }
}

/// An optimizer as heavy-ball momentum on a preconditioned loss: `v = b v + g`, `x -= share eta v / P`.
struct HeavyBallForm {
  let momentum: Double
  /// What the rate is multiplied by: `1 - b` for averaged gradients.
  let share: Double
  let isPreconditioned: Bool

  /// Nil for an optimizer of another form, as Nesterov's, or of which nothing is known.
  init?(_ optimizer: any Optimizer) {
    guard let rule = optimizer.stability, rule.momentum < 1 else { return nil }
    let plain = 2 + 2 * rule.momentum
    let share = plain / rule.criticalProduct
    guard abs(share - 1) < 1e-9 || abs(share - (1 - rule.momentum)) < 1e-9 else { return nil }
    momentum = rule.momentum
    self.share = share
    isPreconditioned = rule.isPreconditioned
  }
}
