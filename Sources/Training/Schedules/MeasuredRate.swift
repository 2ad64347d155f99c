import Presentation

/// The rate of a schedule that measures: the last one that was measured, with two bounds on it.
///
/// - It is at most `ceiling` times the first one. As a loss comes down to zero its curvature does too, as that of
///   classes which can be told apart, and a rate in proportion to `1 / curvature` would grow without end.
/// - Each step whose loss rises, and is more than a fifth above that of the first step, halves the rate; each other
///   step takes back 0.3 % of what was taken away. A limit that is measured on one sample knows nothing of the noise
///   of batches, which unsettles momentum far below it, nor of how long the steps of an optimizer are that divides
///   by its gradients. A loss that is high and falls is left to fall, so that a first batch of little loss, which
///   the others are above, does not take all of the rate.
struct MeasuredRate: Sendable {
  let ceiling: Double
  /// The last rate that was measured, and the first; negative before there is one.
  private var last = -1.0
  private var first = -1.0
  /// The losses of the first step and of the last; nil before.
  private var losses: (start: Double, last: Double)?
  /// What the rate is multiplied by.
  private var trust = 1.0

  init(ceiling: Double) {
    precondition(ceiling >= 1, "a ceiling of \(ceiling) is below the first rate")
    self.ceiling = ceiling
  }

  var memory: [Double] {
    get {
      [last, first, trust, losses == nil ? 0 : 1, losses?.start ?? 0, losses?.last ?? 0]
    }
    set {
      guard newValue.count == 6 else { return }
      (last, first, trust) = (newValue[0], newValue[1], newValue[2])
      losses = newValue[3] == 0 ? nil : (newValue[4], newValue[5])
    }
  }

  /// The rate of a step; that of the moment until one was measured.
  ///
  /// - Parameter measured: at this step; nil where nothing was, or nothing that a rate follows from.
  mutating func next(_ measured: Double?, _ moment: ScheduleMoment) -> Double {
    if let measured, measured.isFinite, measured >= 0 {
      if first <= 0 { first = measured }
      last = min(measured, ceiling * first)
    }
    if let loss = moment.lastLoss {
      let (start, before) = losses ?? (loss, loss)
      if loss - start > 0.2 * abs(start), loss >= before {
        trust /= 2
      } else {
        trust += 0.003 * (1 - trust)
      }
      losses = (start, loss)
    }
    return last >= 0 ? trust * last : moment.rate
  }
}

extension Hyperparameter {
  static func ceiling(_ standard: Double) -> Hyperparameter {
    Hyperparameter(
      "ceiling", standard, .atLeast(1), "the largest rate, in multiples of the first one measured")
  }
}

extension Wording {
  /// `measured at each step`, `measured every 10 steps`.
  static func measured(every steps: Int) -> String {
    steps == 1 ? "measured at each step" : "measured every \(count(steps, "step"))"
  }
}

/// A schedule held at or below a rate.
///
/// It is that of a schedule which measures beside a rate that a person gave.
struct HeldBelow: Schedule {
  private(set) var schedule: any Schedule
  let largest: Double

  init(_ largest: Double, _ schedule: any Schedule) {
    precondition(largest > 0, "a rate held at or below \(largest)")
    self.largest = largest
    self.schedule = schedule
  }

  var name: String { schedule.name }
  var phrase: String { "\(schedule.phrase), at most \(Wording.number(largest))" }
  var hyperparameters: [String: Double] { schedule.hyperparameters }
  var measurement: ScheduleMeasurement? { schedule.measurement }
  var memory: [Double] {
    get { schedule.memory }
    set { schedule.memory = newValue }
  }

  mutating func rate(_ moment: ScheduleMoment) -> Double { min(largest, schedule.rate(moment)) }
  mutating func observe(loss: Double) { schedule.observe(loss: loss) }
}
