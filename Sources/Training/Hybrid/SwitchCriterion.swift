import Presentation

/// When to leave a first-order optimizer for a method on all samples: where the gradient's signal has risen
/// above its noise and the loss no longer falls.
///
/// Every `period` steps the ratio of signal to noise of the mini-batches' gradients (`GradientSignal`) and the
/// loss are taken. Both must hold: the ratio's moving mean was above `threshold` in `consecutive` checks, and in
/// `patience` checks the loss has not come `progress` below its reference, which is that of the start at first. A
/// check between `release * threshold` and the threshold neither counts nor sets back, one below sets the count
/// back to 0. At step `latest` the change is made whatever was measured; by default there is no such step, and a run
/// whose loss keeps falling is never changed. A gradient of all samples has no noise from sampling: the loss
/// alone decides, as where no ratio can be taken.
///
/// Reference: the phases of Anagnostopoulos et al., arXiv:2403.18494; the rule is this package's own.
public struct SwitchCriterion: Sendable, Equatable, Codable {
  /// Steps between two checks.
  public var period = 50
  /// Groups of samples whose gradients are compared; 3 or more.
  public var groups = 16
  public var threshold = 1.0
  /// The share of the moving mean that a check keeps.
  public var smoothing = 0.5
  public var consecutive = 3
  public var release = 0.5
  /// The share by which the loss has to fall below its reference to count as progress.
  public var progress = 0.05
  public var patience = 5
  /// The step at which the change is made in any case; nil for none.
  public var latest: Int?

  public init() {}

  /// What is wrong with the values, for people; nil where nothing is.
  public var fault: String? {
    let values = hyperparameters
    return Self.entry.hyperparameters.first { !$0.range.contains(values[$0.name] ?? .nan) }
      .map { "\($0.name) must be \($0.range)" }
  }

  /// All values by name, as a catalogue has them: 0 stands for no last step.
  public var hyperparameters: [String: Double] {
    [
      "period": Double(period), "groups": Double(groups), "threshold": threshold,
      "smoothing": smoothing, "consecutive": Double(consecutive), "release": release,
      "progress": progress, "patience": Double(patience), "latest": Double(latest ?? 0),
    ]
  }

  public static let entry = CatalogueEntry<SwitchCatalogue>(
    "stalled", formula: "signal / noise above the threshold, and the loss no longer falls",
    hyperparameters: [
      Hyperparameter("period", 50, .count(from: 1), "steps between two checks"),
      Hyperparameter("groups", 16, .count(from: 3, to: 1e6), "groups of samples compared"),
      Hyperparameter("threshold", 1, .above(0), "of the gradient's signal over its noise"),
      Hyperparameter("smoothing", 0.5, .from(0, below: 1), "kept of the ratio's moving mean"),
      Hyperparameter("consecutive", 3, .count(from: 1), "checks above the threshold"),
      Hyperparameter("release", 0.5, .from(0, to: 1), "of the threshold: below, the count is 0"),
      Hyperparameter("progress", 0.05, .from(0, below: 1), "fall of the loss that counts"),
      Hyperparameter("patience", 5, .count(from: 1), "checks without progress"),
      Hyperparameter("latest", 0, .count(from: 0), "step of the change in any case; 0 for none"),
    ]
  ) { values in
    var made = SwitchCriterion()
    made.period = Int(values["period"]!)
    made.groups = Int(values["groups"]!)
    made.threshold = values["threshold"]!
    made.smoothing = values["smoothing"]!
    made.consecutive = Int(values["consecutive"]!)
    made.release = values["release"]!
    made.progress = values["progress"]!
    made.patience = Int(values["patience"]!)
    made.latest = values["latest"]! > 0 ? Int(values["latest"]!) : nil
    return made
  }
}

/// What a person can name to say when a second method takes over.
public enum SwitchCatalogue: Catalogue {
  public static let kind = "criterion"
  public static let all = [SwitchCriterion.entry]
  public static let standard = "stalled"
  public typealias Made = SwitchCriterion
}

/// What is known of the noise of a step's gradient.
public enum NoiseReading: Sendable, Equatable {
  case measured(GradientSignal)
  /// The gradient is that of all samples.
  case none
  /// The loss has no groups of samples.
  case unknown
}

/// What a `SwitchCriterion` remembers from check to check; all of it, so that a resumed run decides alike.
public struct SwitchWatch: Sendable, Equatable, Codable {
  public let criterion: SwitchCriterion
  private var mean = 0.0
  /// Checks that are in `mean`.
  private var measured = 0
  private var above = 0
  private var reference: Double?
  private var stalled = 0

  public init(_ criterion: SwitchCriterion) {
    precondition(criterion.fault == nil, criterion.fault ?? "")
    self.criterion = criterion
  }

  /// All that it remembers, in an order of its own.
  var numbers: [Double] {
    [mean, Double(measured), Double(above), reference ?? .nan, Double(stalled)]
  }

  /// - Returns: nil where the numbers are not what a watch remembers.
  init?(_ criterion: SwitchCriterion, numbers: [Double]) {
    self.init(criterion)
    let counts = [1, 2, 4].compactMap {
      numbers.indices.contains($0) ? Int(exactly: numbers[$0]) : nil
    }
    guard numbers.count == 5, counts.count == 3, counts.allSatisfy({ $0 >= 0 }) else { return nil }
    mean = numbers[0]
    (measured, above, stalled) = (counts[0], counts[1], counts[2])
    reference = numbers[3].isNaN ? nil : numbers[3]
  }

  public func isDue(_ step: Int) -> Bool {
    step % criterion.period == 0 || step == criterion.latest
  }

  /// One check.
  ///
  /// - Parameters:
  ///   - step: steps taken.
  ///   - loss: over all samples, or the mean over the groups.
  public mutating func check(step: Int, noise: NoiseReading, loss: Double) -> SwitchCheck {
    var (ratio, smoothed): (Double?, Double?) = (nil, nil)
    var isStrong = true
    if case .measured(let signal) = noise {
      ratio = signal.ratio
      // Squares are averaged, and may be below 0: a mean of roots would turn noise into signal.
      let share = criterion.smoothing
      mean = share * mean + (1 - share) * min(signal.ratioSquare, 1e12)
      measured += 1
      var correction = 1.0
      for _ in 0..<measured { correction *= share }
      let value = max(0, mean / (1 - correction)).squareRoot()
      if value > criterion.threshold {
        above += 1
      } else if value < criterion.release * criterion.threshold {
        above = 0
      }
      smoothed = value
      isStrong = above >= criterion.consecutive
    }
    let isFirst = reference == nil
    if let reference, !(loss < reference - criterion.progress * abs(reference)) {
      stalled += 1
    } else if loss.isFinite {
      reference = loss
      stalled = 0
    }
    let decision: SwitchCheck.Decision =
      isStrong && stalled >= criterion.patience
      ? .change : criterion.latest.map { step >= $0 } ?? false ? .latest : .wait
    return SwitchCheck(
      step: step, isExact: noise == .none, ratio: ratio, smoothed: smoothed,
      threshold: criterion.threshold,
      above: above, consecutive: criterion.consecutive, loss: loss, reference: reference ?? loss,
      isFirst: isFirst, stalled: stalled, patience: criterion.patience, period: criterion.period,
      progress: criterion.progress, decision: decision)
  }
}

/// A check of the criterion with all numbers that it went by.
public struct SwitchCheck: Sendable, Equatable, Codable {
  public enum Decision: String, Sendable, Codable, CaseIterable {
    case wait
    /// Both conditions hold.
    case change
    /// They do not, and the step that was given for it has come.
    case latest
  }

  /// Steps taken before it.
  public var step: Int
  /// Whether the gradient is that of all samples.
  public var isExact: Bool
  /// Signal over noise of a group's gradient, and its moving mean; nil where it is not taken.
  public var ratio: Double?
  public var smoothed: Double?
  public var threshold: Double
  /// Checks that count as above the threshold, of those that are needed.
  public var above: Int
  public var consecutive: Int
  public var loss: Double
  /// The loss that progress is measured from.
  public var reference: Double
  /// Whether there was none before: progress is measured from here on.
  public var isFirst: Bool
  /// Checks without progress, of those that are needed.
  public var stalled: Int
  public var patience: Int
  public var period: Int
  public var progress: Double
  public var decision: Decision

  /// As a log keeps it.
  public var note: StepNote {
    var values: [String: Double] = [
      "threshold": threshold, "above": Double(above), "consecutive": Double(consecutive),
      "loss": loss, "reference": reference, "stalled": Double(stalled),
      "patience": Double(patience),
    ]
    values["ratio"] = ratio
    values["smoothed"] = smoothed
    return StepNote(.check, step: step, sentence, values)
  }

  /// What was seen, and what follows.
  public var sentence: String {
    let signal =
      smoothed.map { value in
        "the gradient's signal is \(Wording.number(value)) times its noise (asked for: above "
          + "\(Wording.number(threshold)) in \(consecutive) checks; \(min(above, consecutive)) so far)"
      }
      ?? (isExact
        ? "the gradient is that of all samples, without noise from sampling"
        : "the gradient's noise cannot be measured here")
    let steps = Wording.count(stalled * period, "step")
    let asked = "(asked for: \(Wording.count(patience * period)))"
    let progress =
      isFirst
      ? "progress is measured from here"
      : stalled == 0
        ? "the loss still falls"
        : !(loss <= reference)
          ? "the loss has risen from \(Wording.number(reference)) in \(steps) \(asked)"
          : "the loss has fallen by less than \(Wording.number(100 * self.progress)) % in \(steps) "
            + asked
    let start = "Step \(Wording.count(step)), loss \(Wording.number(loss)): "
    return switch decision {
    case .wait: "\(start)\(signal); \(progress)."
    case .change: "\(start)\(signal); \(progress): time to change the method."
    case .latest:
      "\(start)\(signal); \(progress): the method is changed all the same, since this is the step "
        + "given for it."
    }
  }
}
