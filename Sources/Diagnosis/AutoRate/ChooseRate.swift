import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// Chooses the learning rate of a run that is about to begin.
///
/// The curvature at the start gives the optimizer's largest stable rate (that of the preconditioned Hessian
/// for Adam and its kin), the spread of the batches' gradients how far below it noise will push the best one:
/// `limit / 2 / (1 + noise)`. Short runs from the same start, at rates a factor 2 apart around the limit and
/// with the schedule drawn together to their length, then decide; they are as long as the run where that is
/// short. The rate that is named was run. Nothing is decided by time, so the same seed gives the same rate.
///
/// Reference: McCandlish et al., "An Empirical Model of Large-Batch Training", arXiv:1812.06162, equation 2.7.
///
/// - Parameters:
///   - batches: those of the run; the short runs draw orders of their own.
///   - steps: of the run.
///   - isPart: whether the optimizer's is the first part of a run, after which something else takes over.
/// - Throws: `TrainingError`; what the executor throws; `DiagnosisFailure` with what was found so far where it
///   is cancelled.
public func chooseRate<Scalar: LinearMapScalar>(
  _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, from start: [Scalar], batches: Batches?,
  schedule: any Schedule = Constant(), steps: Int, isPart: Bool = false,
  rules: StepRules = StepRules(), seed: Int = 0, context: RunContext = RunContext()
) throws -> AutoRateAnswer {
  try RateChooser(
    loss: loss, optimizer: optimizer, start: start, batches: batches, schedule: schedule,
    steps: steps, isPart: isPart, rules: rules, seed: seed, context: context
  ).answer()
}

/// One choice of a rate.
struct RateChooser<Scalar: LinearMapScalar> {
  let loss: any Loss<Scalar>
  let optimizer: any Optimizer
  let start: [Scalar]
  let batches: Batches?
  let schedule: any Schedule
  let steps: Int
  let isPart: Bool
  let rules: StepRules
  let seed: Int
  let context: RunContext

  /// Runs up to this many steps are tried in full length, longer ones at an eighth of it.
  static var shortRun: Int { 200 }
  /// Rates above and below the limit that are tried first, each twice the one below.
  static var above: Int { 2 }
  static var below: Int { 9 }
  /// Rates that are added where the best is at an end, at most twice at each.
  static var added: Int { 4 }

  private var checkSteps: Int { min(steps, max(Self.shortRun, steps / 8)) }

  /// Orders of the batches that every rate is run in, and those in which the best are run again.
  static var firstOrders: ClosedRange<Int> { 1...2 }
  static var furtherOrders: ClosedRange<Int> { 3...6 }

  /// Orders of the batches, none of them that of the run; one run where there are none.
  private func orders(_ range: ClosedRange<Int>) -> [Batches?] {
    guard let batches else { return [nil] }
    return range.map { index in
      var order = batches
      order.seed ^= UInt64(index) &* 0xA24B_AED4_963E_E407
      return order
    }
  }

  func answer() throws -> AutoRateAnswer {
    if let measurement = schedule.measurement {
      return .refused(
        "The schedule \(schedule.name) sets the rate by what it measures every \(measurement.period) steps, "
          + "so that no run of another length stands for it; leave the rate out.")
    }
    if optimizer.findsItsRate {
      return .refused(
        "\(optimizer.phrase) finds the length of its steps by itself, and its rate is a factor of that; give "
          + "1.")
    }
    let (value, gradient) = try loss.valueAndGradient(at: start)
    let norm = Double(Scalar.nrm2(gradient.count, gradient))
    guard value.isFinite, norm.isFinite else {
      return .refused(
        "The loss or its gradient is not finite at the start, so no rate can be measured there; look for "
          + "numbers in the data or the parameters that are not finite or too large.")
    }
    guard norm > 0 else {
      return .refused(
        "The gradient is zero at the start, so no rate moves this run; begin somewhere else.")
    }
    context.report("rate: curvature")
    let still = try Standstill(self, squaredGradient: norm * norm)
    let measured = try StepLimit.measured(
      loss, optimizer, at: start, preconditioner: still.preconditioner, seed: seed)
    if case .failure(let absence) = measured, !optimizer.hasBoundedSteps {
      return .refused(
        "No rate can be chosen at the start. \(absence.sentence(optimizer)) Its steps have no length of "
          + "their own; give a rate as a number.")
    }
    // Steps of a bounded length: a hundredth, of weights of about 1.
    let anchor = measured.value?.rate ?? 0.01
    var tried: [TriedRate] = []
    do {
      try run((-Self.below...Self.above).map { anchor * exp2(Double($0)) }, &tried, start: value)
      for _ in 0..<2 {
        guard let best = best(tried), best >= tried.count - 2 else { break }
        try run((1...Self.added).map { tried.last!.rate * exp2(Double($0)) }, &tried, start: value)
      }
      for _ in 0..<2 {
        guard let best = best(tried), best <= 1 else { break }
        try run((1...Self.added).map { tried[0].rate * exp2(-Double($0)) }, &tried, start: value)
      }
      if let vertex = vertex(tried) { try run([vertex], &tried, start: value) }
      if batches != nil, let best = best(tried) {
        // Two orders do not tell neighbours apart.
        let near = (best - 2...best + 1).filter {
          tried.indices.contains($0) && !tried[$0].isAboveStart
        }
        try run(near.map { tried[$0].rate }, &tried, start: value, in: Self.furtherOrders)
      }
    } catch is CancellationError {
      throw interrupted(tried, start: value)
    }
    return judged(tried, start: value, measured, still)
  }

  /// Adds the short runs at these rates, for each order of the batches; of those that are cancelled, what had
  /// come to its end.
  private func run(
    _ rates: [Double], _ tried: inout [TriedRate], start value: Double,
    in range: ClosedRange<Int> = firstOrders
  ) throws {
    guard !rates.isEmpty else { return }
    let orders = orders(range)
    let count = orders.count
    let lanes = rates.flatMap { rate in
      orders.map { SweepLane(rate: rate, start: start, batches: $0) }
    }
    var ends = [(loss: Double, isDiverged: Bool)?](repeating: nil, count: lanes.count)
    let cut = try SweepRun(loss, optimizer, lanes: lanes, rules: rules).train(
      steps: checkSteps, schedule: schedule,
      progress: {
        context.report("rate: \(Wording.count(lanes.count, "short run"))", fraction: $0)
        try context.checkCancellation()
      },
      finished: { lane, course in
        let end = course.brokenAt == nil ? try loss.value(at: course.parameters) : .nan
        let fate = RunFate(
          start: value, losses: course.losses, end: end.isFinite ? end : nil)
        ends[lane] = (end.isNaN ? .infinity : end, fate.isDiverged)
      })
    for (index, rate) in rates.enumerated() {
      let mine = ends[index * count..<(index + 1) * count].compactMap { $0 }
      guard mine.count == count else { continue }
      let ended = TriedRate(
        rate: rate, losses: mine.map(\.loss), isAboveStart: mine.contains { !($0.loss < value) },
        isDiverged: mine.contains(where: \.isDiverged))
      if let known = tried.firstIndex(where: { $0.rate == rate }) {
        tried[known].add(ended)
      } else {
        tried.append(ended)
      }
    }
    tried.sort { $0.rate < $1.rate }
    if let cut { throw cut.error }
  }

  /// The position of the least finite loss.
  private func best(_ tried: [TriedRate]) -> Int? {
    tried.indices.filter { tried[$0].mean.isFinite }.min { tried[$0].mean < tried[$1].mean }
  }

  /// The vertex of the parabola through the best and its neighbours, on the logarithm of the rate; nil where it
  /// is next to the best, or none of them is worth it.
  private func vertex(_ tried: [TriedRate]) -> Double? {
    guard let best = best(tried), best > 0, best < tried.count - 1 else { return nil }
    let (left, middle, right) = (tried[best - 1].mean, tried[best].mean, tried[best + 1].mean)
    let bend = left - 2 * middle + right
    guard bend.isFinite, bend > LeastLosses.rounding * abs(middle) else { return nil }
    let shift = 0.5 * (left - right) / bend
    // Half of the smallest rate above it that ended above its start leaves room for what a longer run does.
    let most =
      (tried[(best + 1)...].first(where: \.isAboveStart)?.rate).map { $0 / 2 / tried[best].rate }
      ?? 2
    let factor = min(exp2(shift), most)
    return abs(log2(factor)) < 0.1 ? nil : tried[best].rate * factor
  }

  /// Those among which the rate is chosen where there are batches: run in all orders and never above the start,
  /// where there are such.
  private func confirmed(_ tried: [TriedRate]) -> [Int] {
    let most = tried.map(\.losses.count).max() ?? 0
    let all = tried.indices.filter { tried[$0].losses.count == most && !tried[$0].isDiverged }
    let safe = all.filter { !tried[$0].isAboveStart }
    return safe.isEmpty ? all : safe
  }

  private func interrupted(_ tried: [TriedRate], start value: Double) -> DiagnosisFailure {
    let before = "Interrupted while the rate was chosen, before the run itself"
    guard let best = best(tried), tried[best].mean < value else {
      return DiagnosisFailure(.interrupted, "\(before); no rate had been found yet.")
    }
    return DiagnosisFailure(
      .interrupted,
      "\(before): of the \(Wording.count(tried.count, "rate")) run so far, from "
        + "\(Wording.number(tried[0].rate)) to \(Wording.number(tried.last!.rate)), "
        + "\(Wording.number(tried[best].rate)) ended lowest after "
        + "\(Wording.count(checkSteps, "step")), at \(Wording.number(tried[best].mean, digits: 4)) from "
        + "\(Wording.number(value, digits: 4)).")
  }

  private func judged(
    _ tried: [TriedRate], start value: Double, _ measured: Result<StepLimit, StepLimit.Absence>,
    _ still: Standstill<Scalar>
  ) -> AutoRateAnswer {
    let (low, high) = (Wording.number(tried[0].rate), Wording.number(tried.last!.rate))
    let runs = "\(Wording.count(checkSteps, "step"))"
    guard let best = best(tried), tried[best].mean < value else {
      return .refused(
        "No rate from \(low) to \(high) lowered the loss in \(runs) from the start, so there is none to "
          + "recommend; look at the start and the data, or give more steps.")
    }
    let limit = measured.value?.rate
    let least = LeastLosses(
      tried.map { $0.isDiverged ? nil : $0.mean }, start: value,
      precision: Double(Scalar.ulpOfOne), share: AutoRate.share,
      preferring: { limit == nil || tried[$0].rate < limit! })
    guard let least, best > 0, best < tried.count - 1 else {
      return .refused(
        "The loss after \(runs) was still falling at the \(best == 0 ? "smallest" : "largest") rate that "
          + "was tried, \(Wording.number(tried[best].rate)); give a rate as a number.")
    }
    let confirmed = confirmed(tried)
    let index =
      batches == nil || least.tied.count > 1
      ? least.middle : confirmed.min { tried[$0].mean < tried[$1].mean } ?? least.middle
    let chosen = tried[index]
    let way = value - chosen.mean
    guard way > chosen.uncertainty else {
      return .refused(
        "Neither the curvature nor the runs support a rate: in \(runs) the loss came down by "
          + "\(Wording.number(way)) at best, from \(Wording.number(value, digits: 4)), and other orders of "
          + "the batches change that by \(Wording.number(chosen.uncertainty))"
          + (still.noise.map {
            " (their noise is \(Wording.number($0)) times the squared gradient)"
          } ?? "") + "; take larger batches or more steps, or give a rate as a number.")
    }
    let near = LeastLosses.around(index...index) {
      tried.indices.contains($0) && !tried[$0].isDiverged
        && tried[$0].mean - chosen.mean <= AutoRate.share * way
    }
    var auto = AutoRate(
      rate: chosen.rate, lower: tried[near.lowerBound].rate, upper: tried[near.upperBound].rate,
      expected: limit.map { $0 / 2 / (1 + (still.noise ?? 0)) }, limit: limit,
      sharpness: measured.value?.sharpness, noise: still.noise, steps: checkSteps,
      orders: orders(Self.firstOrders).count,
      candidates: tried.map { .init(rate: $0.rate, loss: $0.mean.isFinite ? $0.mean : nil) },
      sentence: "")
    let words = AutoRateWords(
      auto: auto, loss: chosen.mean, confirmed: (confirmed.count, chosen.losses.count),
      start: value, optimizer: optimizer,
      measured: measured,
      beside: [near.lowerBound - 1, near.upperBound + 1].filter(tried.indices.contains)
        .map { tried[$0].rate },
      isTied: least.tied.count > 1, steps: steps, isPart: isPart)
    auto.sentence = words.sentence
    return .rate(auto)
  }
}

/// A rate with the losses at the end of its runs.
struct TriedRate {
  let rate: Double
  /// One per order of the batches; infinite where a run was not finite.
  private(set) var losses: [Double]
  /// Whether any of them is above that of the start.
  private(set) var isAboveStart: Bool
  private(set) var isDiverged: Bool

  init(rate: Double, losses: [Double], isAboveStart: Bool, isDiverged: Bool) {
    self.rate = rate
    self.losses = losses
    self.isAboveStart = isAboveStart
    self.isDiverged = isDiverged
  }

  var mean: Double { losses.reduce(0, +) / Double(losses.count) }

  /// Two standard errors of the mean; of two losses their distance.
  var uncertainty: Double {
    guard losses.count > 1 else { return 0 }
    let count = Double(losses.count)
    let squares = losses.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return 2 * (squares / (count - 1) / count).squareRoot()
  }

  /// Runs in other orders.
  mutating func add(_ other: TriedRate) {
    losses += other.losses
    isAboveStart = isAboveStart || other.isAboveStart
    isDiverged = isDiverged || other.isDiverged
  }
}

/// What an optimizer sees at the start: steps at rate zero, which leave the parameters where they are.
struct Standstill<Scalar: LinearMapScalar> {
  /// What it divides its steps by; nil where that is nothing.
  let preconditioner: [Double]?
  /// The variance of the batches' gradients over the squared gradient of all samples.
  let noise: Double?

  static var steps: Int { 40 }

  init(_ chooser: RateChooser<Scalar>, squaredGradient: Double) throws {
    let optimizer = chooser.optimizer
    guard chooser.batches != nil || optimizer.stability?.isPreconditioned == true else {
      (preconditioner, noise) = (nil, nil)
      return
    }
    let run = try TrainingRun(
      chooser.loss, optimizer, rate: 0, from: chooser.start,
      gradients: chooser.batches.map { .batches($0) } ?? .allSamples)
    var squares = 0.0
    for _ in 0..<Self.steps {
      let norm = try run.step().gradientNorm
      squares += norm * norm / Double(Self.steps)
      try chooser.context.checkCancellation()
    }
    preconditioner = optimizer.preconditioner(
      state: { run.state($0).map { Double($0) } }, step: Self.steps)
    noise = chooser.batches.map { _ in max(0, squares / squaredGradient - 1) }
  }
}
