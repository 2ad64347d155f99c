import LinearMaps

/// A search along a descent direction for a step that fulfils the strong Wolfe conditions
///
///     f(x + t d) <= f(x) + c1 t g'd,   |f'(x + t d)| <= c2 |g'd|,
///
/// by the steps of More and Thuente. Where losses differ by no more than rounding, the conditions of Hager and
/// Zhang on the slopes alone, `(2 c1 - 1) g'd >= f'(x + t d) >= c2 g'd`, take the place of the first, so that
/// rounding alone does not end a descent. With `c2 = 0` the slope is brought to zero by secants: exact on a
/// quadratic after one trial.
///
/// Reference: More and Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM
/// Transactions on Mathematical Software 20 (1994); Hager and Zhang, "A new conjugate gradient method with
/// guaranteed descent and an efficient line search", SIAM J. Optimization 16 (2005), section 4.
struct LineSearch<Scalar: LinearMapScalar> {
  enum Outcome {
    case found(Evaluation<Scalar>, step: Double)
    case failed(SearchFailure)
  }

  let decrease: Double
  let curvature: Double

  func run(
    from origin: Evaluation<Scalar>, along direction: [Scalar], first: Double,
    on problem: CountedLoss<Scalar>
  ) throws -> Outcome {
    var line = SearchedLine(origin, direction, decrease: decrease, curvature: curvature, problem)
    guard first.isFinite, line.slope < 0 else { return .failed(.stalled) }
    if curvature == 0, let found = try line.searchExactly(first) { return found }
    let outcome = try line.search(first)
    guard case .failed(.rounding) = outcome else { return outcome }
    let (spread, isHigher) = try problem.measureNoise(at: &line.origin)
    if isHigher, case .found(let next, let step) = try line.searchBySlopes() {
      return .found(next, step: step)
    }
    return .failed(line.misfit.failure(spread: spread))
  }
}

/// Why no step was found.
enum SearchFailure: Equatable {
  case rounding, stalled, nonFinite
  case unbounded(loss: Double, distance: Double)
}

/// One search under way.
private struct SearchedLine<Scalar: LinearMapScalar> {
  typealias Outcome = LineSearch<Scalar>.Outcome
  typealias Sample = TrialInterval.Sample

  var origin: Evaluation<Scalar>
  let direction: [Scalar]
  let decrease: Double
  let curvature: Double
  let problem: CountedLoss<Scalar>
  let slope: Double
  /// The farthest step that is tried: ten powers of ten beyond the parameters.
  let farthest: Double
  let length: Double
  /// All finite trials, the origin first.
  var samples: [Sample]
  /// The lowest trial that fulfils the first condition.
  var lowest: (at: Evaluation<Scalar>, sample: Sample)?
  var current: Evaluation<Scalar>
  /// The smallest step with a loss or gradient that is not finite.
  var ceiling = Double.infinity
  var misfit = Misfit()

  static var maxTrials: Int { 40 }

  init(
    _ origin: Evaluation<Scalar>, _ direction: [Scalar], decrease: Double, curvature: Double,
    _ problem: CountedLoss<Scalar>
  ) {
    self.origin = origin
    self.direction = direction
    self.decrease = decrease
    self.curvature = curvature
    self.problem = problem
    let n = direction.count
    slope = Scalar.dot(n, origin.gradient, direction)
    length = Scalar.nrm2(n, direction)
    farthest = 1e10 * max(1, Scalar.nrm2(n, origin.point)) / length
    samples = [Sample(step: 0, value: origin.loss, slope: slope)]
    current = origin
  }

  /// The sample at a step, or nil where it is not finite or the step moves nothing.
  mutating func sample(_ step: Double) throws -> Sample? {
    let point = origin.point(step, along: direction)
    guard !areEqual(point, origin.point) else { return nil }
    current = try problem.evaluate(point)
    guard current.isFinite else {
      ceiling = min(ceiling, step)
      return nil
    }
    let sample = Sample(
      step: step, value: current.loss,
      slope: Scalar.dot(direction.count, current.gradient, direction))
    samples.append(sample)
    misfit.note(
      rise: sample.value - origin.loss, before: step * slope, after: step * sample.slope)
    if isLower(sample), sample.value < lowest?.sample.value ?? origin.loss {
      lowest = (current, sample)
    }
    return sample
  }

  func isLower(_ sample: Sample) -> Bool {
    sample.value <= origin.loss + decrease * sample.step * slope
  }

  func isWithinNoise(_ sample: Sample) -> Bool { abs(sample.value - origin.loss) <= origin.noise }

  func isAccepted(_ sample: Sample) -> Bool {
    if isLower(sample), abs(sample.slope) <= curvature * -slope { return true }
    return isWithinNoise(sample) && sample.slope <= (2 * decrease - 1) * slope
      && sample.slope >= curvature * slope
  }

  mutating func search(_ first: Double) throws -> Outcome {
    var interval = TrialInterval(best: samples[0], other: samples[0])
    var (lower, upper) = (0.0, 5 * first)
    var isFirstStage = true
    var (width, widthBefore) = (Double.infinity, Double.infinity)
    var step = min(first, farthest)
    for _ in 0..<Self.maxTrials {
      guard let trial = try sample(step) else {
        if current.loss == -.infinity {
          return .failed(.unbounded(loss: current.loss, distance: step * length))
        }
        let base = interval.best.step
        let next = base + (base == 0 ? 0.1 : 0.5) * (step - base)
        guard next > base, next < step else { break }
        step = next
        continue
      }
      if isAccepted(trial) { return .found(current, step: step) }
      if step >= farthest, isLower(trial), trial.slope <= decrease * slope {
        return .failed(.unbounded(loss: trial.value, distance: step * length))
      }
      if isFirstStage, isLower(trial), trial.slope >= 0 { isFirstStage = false }
      let isTilted = isFirstStage && trial.value <= interval.best.value && !isLower(trial)
      if isTilted {
        // The first condition as a function of its own, until it is met.
        let tilt = decrease * slope
        var tilted = TrialInterval(
          best: interval.best.tilted(by: tilt), other: interval.other.tilted(by: tilt),
          isBracketed: interval.isBracketed)
        step = tilted.next(after: trial.tilted(by: tilt), lower: lower, upper: upper)
        interval = TrialInterval(
          best: tilted.best.tilted(by: -tilt), other: tilted.other.tilted(by: -tilt),
          isBracketed: tilted.isBracketed)
      } else {
        step = interval.next(after: trial, lower: lower, upper: upper)
      }
      if interval.isBracketed {
        let ends = (interval.best, interval.other)
        let now = abs(ends.1.step - ends.0.step)
        if isWithinNoise(ends.0), isWithinNoise(ends.1) { break }
        if now >= 0.66 * widthBefore { step = ends.0.step + 0.5 * (ends.1.step - ends.0.step) }
        (widthBefore, width) = (width, now)
        (lower, upper) = (min(ends.0.step, ends.1.step), max(ends.0.step, ends.1.step))
        if width <= 1e-12 * upper || step <= lower || step >= upper { break }
      } else {
        lower = step + 1.1 * (step - interval.best.step)
        upper = step + 4 * (step - interval.best.step)
        if step >= ceiling { step = interval.best.step + 0.5 * (ceiling - interval.best.step) }
        step = min(step, farthest)
        if step <= interval.best.step { break }
      }
    }
    if let lowest, lowest.sample.value < origin.loss - origin.noise {
      return .found(lowest.at, step: lowest.sample.step)
    }
    // Not finite down to the least step.
    if ceiling.isFinite, !samples.dropFirst().contains(where: { $0.step < ceiling }) {
      return .failed(.nonFinite)
    }
    return try searchBySlopes()
  }

  /// Among losses that differ by rounding alone: bisects, or follows the secant of, the slopes.
  mutating func searchBySlopes() throws -> Outcome {
    let flat = samples.filter { $0.value <= origin.loss + origin.noise }
    var left = flat.filter { $0.slope < 0 }.max { $0.step < $1.step } ?? samples[0]
    var right = samples.filter { $0.step > left.step }.min { $0.step < $1.step }
    for _ in 0..<12 {
      var step: Double
      if let right {
        let width = right.step - left.step
        let isTurned = right.slope > 0 && right.value <= origin.loss + origin.noise
        step =
          isTurned
          ? left.step + width * min(0.95, max(0.05, left.slope / (left.slope - right.slope)))
          : left.step + 0.5 * width
        if step <= left.step || step >= right.step { break }
      } else {
        step = min(4 * left.step, 0.5 * (left.step + ceiling), farthest)
        if step <= left.step { break }
      }
      guard let trial = try sample(step) else {
        right = Sample(step: step, value: .infinity, slope: 0)
        continue
      }
      if isAccepted(trial) { return .found(current, step: step) }
      if trial.slope < 0, trial.value <= origin.loss + origin.noise {
        left = trial
      } else {
        right = trial
      }
    }
    if let lowest { return .found(lowest.at, step: lowest.sample.step) }
    return .failed(.rounding)
  }

  /// Secants of the slope from a first trial; nil where the line bends down, for the other search.
  mutating func searchExactly(_ first: Double) throws -> Outcome? {
    let n = direction.count
    var before = samples[0]
    guard var last = try sample(first) else { return nil }
    var lastPoint = current
    for _ in 0..<10 {
      let floor = Double(Scalar.ulpOfOne) * Scalar.nrm2(n, lastPoint.gradient) * length
      if abs(last.slope) <= max(1e-12 * -slope, 4 * floor) {
        return .found(lastPoint, step: last.step)
      }
      let bend = (last.slope - before.slope) / (last.step - before.step)
      guard bend > 0 else { return nil }
      let step = last.step - last.slope / bend
      guard step > 0, step.isFinite, let trial = try sample(step) else { return nil }
      if abs(trial.slope) >= 0.5 * abs(last.slope) {
        let isBetter = abs(trial.slope) < abs(last.slope)
        guard abs(isBetter ? trial.slope : last.slope) < 0.1 * -slope else { return nil }
        return .found(isBetter ? current : lastPoint, step: isBetter ? step : last.step)
      }
      (before, last, lastPoint) = (last, trial, current)
    }
    return .found(lastPoint, step: last.step)
  }
}
