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
/// short. Nothing is decided by time, so the same seed gives the same rate.
///
/// Reference: McCandlish et al., "An Empirical Model of Large-Batch Training", arXiv:1812.06162, equation 2.7.
///
/// - Parameters:
///   - batches: those of the run; the short runs draw orders of their own.
///   - steps: of the run.
/// - Throws: `TrainingError`; what the executor throws, among it `CancellationError`.
public func chooseRate<Scalar: LinearMapScalar>(
  _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, from start: [Scalar], batches: Batches?,
  schedule: any Schedule = Constant(), steps: Int, rules: StepRules = StepRules(), seed: Int = 0,
  context: RunContext = RunContext()
) throws -> AutoRateAnswer {
  try RateChooser(
    loss: loss, optimizer: optimizer, start: start, batches: batches, schedule: schedule,
    steps: steps, rules: rules, seed: seed, context: context
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

  /// Orders of the batches: neither is that of the run.
  private var orders: [Batches?] {
    guard let batches else { return [nil] }
    return (1...2).map { index in
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
    let limit = try StepLimit(
      loss, optimizer, at: start, preconditioner: still.preconditioner, seed: seed)
    guard limit != nil || optimizer.hasBoundedSteps else {
      return .refused(
        "Nothing curves upwards at the start that could limit the rate of \(optimizer.phrase), and its "
          + "steps have no length of their own; give a rate as a number.")
    }
    // Steps of a bounded length: a hundredth, of weights of about 1.
    let anchor = limit?.rate ?? 0.01
    var tried = try run((-Self.below...Self.above).map { anchor * exp2(Double($0)) })
    for _ in 0..<2 {
      guard let best = best(tried), best >= tried.count - 2 else { break }
      tried += try run((1...Self.added).map { tried.last!.rate * exp2(Double($0)) })
    }
    for _ in 0..<2 {
      guard let best = best(tried), best <= 1 else { break }
      tried =
        try run((1...Self.added).reversed().map { tried[0].rate * exp2(-Double($0)) }) + tried
    }
    return judged(tried, start: value, limit, still)
  }

  /// Losses at the end of the short runs at these rates, for each order of the batches.
  private func run(_ rates: [Double]) throws -> [TriedRate] {
    let lanes = rates.flatMap { rate in
      orders.map { SweepLane(rate: rate, start: start, batches: $0) }
    }
    let courses = try SweepRun(loss, optimizer, lanes: lanes, rules: rules)
      .train(steps: checkSteps, schedule: schedule) {
        context.report("rate: \(Wording.count(lanes.count, "short run"))", fraction: $0)
        try context.checkCancellation()
      }
    let losses = try courses.map { course -> Double in
      let value = course.brokenAt == nil ? try loss.value(at: course.parameters) : .infinity
      return value.isNaN ? .infinity : value
    }
    let count = orders.count
    return rates.enumerated().map { index, rate in
      TriedRate(rate: rate, losses: Array(losses[index * count..<(index + 1) * count]))
    }
  }

  /// The position of the least finite loss.
  private func best(_ tried: [TriedRate]) -> Int? {
    tried.indices.filter { tried[$0].mean.isFinite }.min { tried[$0].mean < tried[$1].mean }
  }

  private func judged(
    _ tried: [TriedRate], start value: Double, _ limit: StepLimit?, _ still: Standstill<Scalar>
  ) -> AutoRateAnswer {
    let (low, high) = (Wording.number(tried[0].rate), Wording.number(tried.last!.rate))
    let runs = "\(Wording.count(checkSteps, "step"))"
    guard let best = best(tried), tried[best].mean < value else {
      return .refused(
        "No rate from \(low) to \(high) lowered the loss in \(runs) from the start, so there is none to "
          + "recommend; look at the start and the data, or give more steps.")
    }
    guard best > 0, best < tried.count - 1 else {
      return .refused(
        "The loss after \(runs) was still falling at the \(best == 0 ? "smallest" : "largest") rate that "
          + "was tried, \(Wording.number(tried[best].rate)); give a rate as a number.")
    }
    // The vertex of the parabola through the best and its neighbours, on the logarithm of the rate.
    let (left, middle, right) = (tried[best - 1].mean, tried[best].mean, tried[best + 1].mean)
    let bend = left - 2 * middle + right
    let shift = bend.isFinite && bend > 0 ? 0.5 * (left - right) / bend : 0
    var rate = tried[best].rate * exp2(shift)
    // Half of the smallest rate that diverged above it leaves room for what a longer run does.
    if let lost = tried[best...].first(where: { !($0.mean < value) }) {
      rate = min(rate, lost.rate / 2)
    }
    // What another order of the batches changes, or a hundredth of the way down, is no difference.
    let tolerance = max(
      (tried[best].losses.max() ?? 0) - (tried[best].losses.min() ?? 0), 0.01 * (value - middle))
    var (lower, upper) = (best, best)
    while lower > 0, tried[lower - 1].mean <= middle + tolerance { lower -= 1 }
    while upper < tried.count - 1, tried[upper + 1].mean <= middle + tolerance { upper += 1 }
    let expected = limit.map { $0.rate / 2 / (1 + (still.noise ?? 0)) }
    var auto = AutoRate(
      rate: rate, lower: min(rate, tried[lower].rate), upper: max(rate, tried[upper].rate),
      expected: expected, limit: limit?.rate, sharpness: limit?.sharpness, noise: still.noise,
      steps: checkSteps, orders: orders.count,
      candidates: tried.map { .init(rate: $0.rate, loss: $0.mean.isFinite ? $0.mean : nil) },
      sentence: "")
    auto.sentence = sentence(auto, limit, loss: middle, start: value)
    return .rate(auto)
  }

  private func sentence(
    _ auto: AutoRate, _ limit: StepLimit?, loss: Double, start: Double
  ) -> String {
    var text =
      "The rate is \(Wording.number(auto.rate)) (\(Wording.number(auto.lower)) to "
      + "\(Wording.number(auto.upper)) do as well in the short runs). "
    if let limit {
      text +=
        "The largest eigenvalue of the \(limit.isPreconditioned ? "preconditioned " : "")Hessian at the "
        + "start is \(Wording.number(limit.sharpness)), which limits \(optimizer.phrase) to "
        + "\(Wording.number(limit.rate))"
    } else {
      text += "The limit of \(optimizer.phrase) is not known from the curvature"
    }
    if let noise = auto.noise {
      text +=
        ", and the noise of the batches is \(Wording.number(noise)) times the squared gradient"
        + (auto.expected.map { ", so that about \(Wording.number($0)) was expected" } ?? "")
    }
    let whole = auto.steps == steps
    return text
      + ". \(Wording.count(auto.candidates.count, "rate")) from "
      + "\(Wording.number(auto.candidates[0].rate)) to \(Wording.number(auto.candidates.last!.rate)) were run "
      + "from the same start for "
      + (whole
        ? "all \(Wording.count(steps, "step"))"
        : "\(Wording.count(auto.steps)) of the \(Wording.count(steps, "step"))")
      + (auto.orders > 1 ? ", in \(auto.orders) orders of the batches" : "")
      + "; the least loss was \(Wording.number(loss, digits: 4)), from \(Wording.number(start, digits: 4))"
      + (whole ? "." : ". What a run of full length does beyond that is not known.")
  }
}

/// A rate with the losses at the end of its runs.
struct TriedRate {
  let rate: Double
  /// One per order of the batches; infinite where a run was not finite.
  let losses: [Double]
  var mean: Double { losses.reduce(0, +) / Double(losses.count) }
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
