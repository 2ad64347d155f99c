import Curvature
import Foundation
import LinearMaps
import Training

/// What theory says of least squares, and of the quadratics that fit samples' losses.
extension MiniBatchStudy {
  private var draw: BatchNoise.Draw { sampling == .shuffle ? .subsets : .replacement }

  /// Limits, floor and runs of a table's linear model.
  func fill(
    _ result: inout MiniBatches, _ place: Place, _ method: HeavyBallForm, _ batches: Batches
  ) throws {
    result.basis = place.basis
    result.samplesUsed = place.used
    guard let plain = try place.rows.samples() else { return }
    var divisor = method.isPreconditioned ? start.preconditioner : nil
    var minimum = Minimum(rows: place.rows, decay: nil)
    var course: Course?
    let rate = training.rate
    let isAtMinimum = place.basis != .bowlHere
    let isRun = rate != nil && isAtMinimum && start.request.trials.areRun
    if isRun, let rate, hasNoise(plain) {
      if method.isPreconditioned, start.optimizer.decay > 0 {
        // Where decay leads depends on what steps are divided by there.
        divisor =
          try self.course(minimum, plain, rate: rate, batches, share: 0.3)?.divisor ?? divisor
      }
      if start.optimizer.decay > 0 {
        minimum = try decayed(place, method, divisor) ?? minimum
      }
      course = try self.course(minimum, plain, rate: rate, batches)
      if method.isPreconditioned { divisor = course?.divisor ?? divisor }
    }
    if isAtMinimum, start.optimizer.decay > 0, divisor != nil || !method.isPreconditioned {
      minimum = try decayed(place, method, divisor) ?? minimum
    }
    try fillTheory(&result, place, minimum, divisor, method, batches, course)
  }

  private func fillTheory(
    _ result: inout MiniBatches, _ place: Place, _ minimum: Minimum, _ divisor: [Double]?,
    _ method: HeavyBallForm, _ batches: Batches, _ course: Course?
  ) throws {
    guard !method.isPreconditioned || divisor != nil else {
      result.note =
        "the limit of \(start.optimizer.phrase) depends on its second moments, which only a run tells"
      return
    }
    guard let samples = try minimum.rows.samples(divisor: divisor) else { return }
    var here = samples
    if place.basis == .bowlAtMinimum {
      guard let other = try place.here.samples(divisor: divisor) else { return }
      here = other
    }
    try fillLimits(&result, here, method, batches, isWhole: place.used == sampleCount)
    if method.isPreconditioned, let top = here.curvatures.last, let low = here.curvatures.first {
      result.conditionNumber = top / low
    }
    guard let rate = training.rate else { return }
    // Far from a point the loss of another model curves otherwise.
    if let limit = result.limit, rate >= limit, here.count >= batch, place.basis == .leastSquares {
      let growth = here.errorGrowth(rate: rate * method.share, batches, form: method.form)
      result.growth = .init(perStep: growth.perStep, error: growth.error)
    }
    guard place.basis != .bowlHere else { return }
    guard hasNoise(samples) else {
      result.note =
        "the samples agree at the minimum, to rounding: batches have no noise there, and no floor is left"
      return
    }
    result.run = try course.map { try $0.run(gap(minimum, samples).at, start: abs(start.loss)) }
    try fillFloor(&result, rate: rate, samples, batches, method)
  }

  /// Whether the samples' gradients differ at the minimum by more than rounding makes them.
  private func hasNoise(_ samples: LeastSquaresSamples) -> Bool {
    let noise = samples.noise
    let k = samples.dimension
    let size = (0..<k).reduce(0) { $0 + noise[$1 * k + $1] / samples.curvatures[$1] }
    let rounding = 64 * Double(Scalar.ulpOfOne)
    return size > rounding * rounding * abs(start.loss)
  }

  /// The limits of this batch and of others.
  private func fillLimits(
    _ result: inout MiniBatches, _ samples: LeastSquaresSamples, _ method: HeavyBallForm,
    _ batches: Batches, isWhole: Bool
  ) throws {
    let n = sampleCount
    func noise(_ batch: Int) -> BatchNoise {
      BatchNoise(samples, batch: batch, draw: draw, form: method.form, population: n)
    }
    let unit = method.share
    let own = noise(batch)
    result.halfLimitBatch =
      draw == .subsets ? try own.halfLimitBatch(of: n) : try own.halfLimitBatch()
    guard let within = try own.limit() else {
      result.note = "the limit of these batches was not found: its eigenvalue did not converge"
      return
    }
    result.limit = within / unit
    result.limits = try [batch / 4, batch / 2, batch, 2 * batch, 4 * batch]
      .filter { $0 >= 1 && $0 <= n }
      .compactMap { size in
        try (size == batch ? within : noise(size).limit()).map {
          .init(batch: size, limit: $0 / unit)
        }
      }
    if method.isPreconditioned { result.limitOnAll = own.limitOnAll / unit }
    guard batches.sampling == .shuffle else { return }
    guard isWhole,
      let passes = ReshuffledNoise(samples, batch: batch, form: method.form, seed: seed)
    else {
      if let last = result.lastBatch, 2 * last < batch {
        result.note = "what the last, smaller batch of a pass takes off the limit is not known"
      }
      return
    }
    let found = passes.limit(near: within, below: own.limitOnAll)
    guard found.rate > 0 else { return }
    result.passLimit = found.rate / unit
    result.passLimitError = found.error / unit
    result.limit = min(within, found.rate) / unit
    guard result.lastBatch != nil, found.rate < 0.98 * within,
      let even = ReshuffledNoise(
        samples, batch: batch, form: method.form, seed: seed, dropsLast: true)
    else { return }
    let other = min(within, even.limit(near: within, below: own.limitOnAll).rate)
    if other > 1.02 * found.rate { result.limitWithoutLast = other / unit }
  }

  /// The floor at the rate, beside what a run came to.
  private func fillFloor(
    _ result: inout MiniBatches, rate: Double, _ samples: LeastSquaresSamples, _ batches: Batches,
    _ method: HeavyBallForm
  ) throws {
    let own = rate * method.share
    let window = Self.window(result.run?.steps ?? 0, perPass: result.stepsPerPass)
    let steps = window.lowerBound * result.stepsPerPass..<window.upperBound * result.stepsPerPass
    let shuffled =
      batches.sampling == .shuffle && samples.count == sampleCount
      ? ReshuffledNoise(samples, batch: batch, form: method.form, seed: seed) : nil
    if batches.sampling == .replacement {
      guard
        let second = try BatchNoise(samples, batch: batch, form: method.form).stationary(rate: own)
      else { return }
      let gap = samples.gap(second)
      result.floor = .init(
        end: gap, middle: gap, endError: 0, middleError: 0, relative: nil, steps: nil)
      let course = Self.course(
        second, samples, rate: own, momentum: method.form.momentum, steps: steps)
      result.run?.predictedEnd = course
      result.run?.predictedMiddle = course
    } else if let shuffled {
      guard let passes = shuffled.passes(rate: own, work: 1e9) else { return }
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
    } else if method.form.momentum == 0, result.limit.map({ rate < $0 }) ?? true {
      guard let moments = estimate(samples, rate: own, batch: batch) else { return }
      result.floor = .init(
        end: samples.gap(moments.end), middle: samples.gap(moments.middle), endError: nil,
        middleError: nil, relative: nil, steps: nil)
      result.run?.predictedEnd = Self.course(
        moments.end, samples, rate: own, momentum: 0, steps: steps)
      result.run?.predictedMiddle = Self.course(
        moments.middle, samples, rate: own, momentum: 0, steps: steps)
    } else if method.form.momentum > 0 {
      result.note =
        "over shuffled passes with momentum the floor is known of up to "
        + "\(ReshuffledNoise.mostDirections / 2) directions"
    }
    complete(&result, rate: rate)
    guard result.floor != nil else { return }
    result.otherFloors = try [(rate / 2, batch), (rate, 2 * batch)].compactMap { rate, batch in
      guard batch <= sampleCount else { return nil }
      return try floor(samples, rate: rate * method.share, batch: batch, method).map {
        .init(rate: rate, batch: batch, end: $0)
      }
    }
  }

  /// The gradient's noise as drawn without replacement, with that of the batches' curvatures added; nil where
  /// that does not settle.
  private func estimate(_ samples: LeastSquaresSamples, rate: Double, batch: Int) -> (
    end: [Double], middle: [Double]
  )? {
    var spread = samples.noise
    var found: (end: [Double], middle: [Double])?
    for _ in 0..<6 {
      guard
        let moments = QuadraticNoise(curvatures: samples.curvatures, noise: spread)
          .reshuffled(rate: rate, batch: batch, samples: sampleCount),
        samples.gap(moments.end).isFinite, samples.gap(moments.middle).isFinite
      else { return nil }
      found = moments
      spread = zip(samples.noise, samples.spread(moments.middle)).map { $0 + $1 }
    }
    return found
  }

  /// The mean gap at the ends of passes that a rate, in units of the form, and a batch settle at.
  private func floor(
    _ samples: LeastSquaresSamples, rate: Double, batch: Int, _ method: HeavyBallForm
  ) throws -> Double? {
    if sampling == .replacement {
      return try BatchNoise(samples, batch: batch, form: method.form).floor(rate: rate)
    }
    if samples.count == sampleCount,
      let noise = ReshuffledNoise(samples, batch: batch, form: method.form, seed: seed)
    {
      guard let floor = noise.floor(rate: rate, precision: 0.03, work: 3e8),
        floor.endError < 0.2 * floor.end || floor.endError == 0
      else { return nil }
      return floor.end
    }
    guard method.form.momentum == 0 else { return nil }
    return estimate(samples, rate: rate, batch: batch).map { samples.gap($0.end) }
  }

  /// The floor beside the loss gap at the point.
  private func complete(_ result: inout MiniBatches, rate: Double) {
    guard var floor = result.floor else { return }
    if let gap = gapHere, gap > 0 {
      floor.relative = floor.end / gap
      if floor.end < gap, start.optimizer.hasForecast, start.optimizer.decay == 0,
        start.problem.isQuadratic
      {
        floor.steps = measured.survey.model.forecast(rate: rate, by: start.optimizer)?
          .iterations(toRelativeGap: floor.end / gap)
      }
    }
    result.floor = floor
  }

  /// The loss gap at the point of diagnosis, of a quadratic.
  private var gapHere: Double? { measured.exactLoss(measured.survey)?.initialGap }

  // MARK: What binds

  /// Nil where a run has shown that the limit does not decide.
  func binding(
    _ result: MiniBatches, _ prescriptions: [Prescription]
  ) -> MiniBatches.Binding? {
    guard let rate = training.rate, let limit = result.limit else { return nil }
    switch measured.learningRate(prescriptions).verdict {
    case .unstableHereSettles: return nil
    case .stableHereDiverged where rate < limit: return nil
    case .stableHereDiverged, .slow, .stable, .oscillating, .unstable, .unstableInBatches,
      .noStableRate, nil:
      break
    }
    if rate >= limit {
      return result.isWhole || !(result.limitOnAll.map { rate < $0 } ?? true) ? .sharpness : .noise
    }
    let own = result.trial(.asGiven)
    let ended = own.flatMap(\.measured)
    if let floor = result.floor {
      if let relative = floor.relative, relative >= 0.1 { return .noise }
      // The run from here had come down to it.
      if !result.isToldByLoss, let ended, ended <= 2 * floor.end { return .noise }
    }
    if rate < 0.25 * limit, let own,
      let larger = result.trial(.halfOfLimit) ?? result.trial(.largerRate),
      larger.isLower(than: own)
    {
      return .rate
    }
    guard let condition = result.conditionNumber else { return nil }
    if condition >= 100 { return .conditioning }
    // What ended lower than half of the limit did is not held up by it.
    if let own, let half = result.trial(.halfOfLimit), rate < limit / 2, own.isLower(than: half) {
      return nil
    }
    return rate < 0.25 * limit ? nil : .sharpness
  }
}

extension MiniBatches.Trial {
  /// Whether its gap is that of rounding alone.
  package var isAtRounding: Bool { relative.map { $0 < Prescription.rounding } ?? false }

  /// Whether it ended lower than another by more than their spread over orders of the batches tells apart.
  func isLower(than other: Self) -> Bool {
    guard let own = measured else { return false }
    guard let value = other.measured else { return true }
    if isAtRounding, other.isAtRounding { return false }
    if let isLower = Orders.isLower(orders, than: other.orders) { return isLower }
    guard let error, let otherError = other.error else { return own < 0.5 * value }
    return value - own > 3 * (error * error + otherError * otherError).squareRoot()
  }
}
