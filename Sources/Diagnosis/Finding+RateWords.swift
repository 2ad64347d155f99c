import Presentation

extension Finding {
  /// A rate that is held up against the given one, and what speaks for it.
  public struct AdvisedRate: Sendable, Equatable {
    public enum Standing: Sendable, Equatable {
      /// It is below a limit that holds everywhere.
      case everywhere
      /// It is below the limit at this point, and was not run.
      case here
      /// It was run for so many steps without diverging.
      case run(steps: Int)
    }

    public let rate: Double
    public let standing: Standing

    public init(_ rate: Double, _ standing: Standing) {
      self.rate = rate
      self.standing = standing
    }
  }

  /// Steps to the tolerance, and where the number comes from.
  public enum StepCount: Sendable, Equatable {
    case measured(Int)
    /// By the quadratic where the loss is one, else by following the curvature.
    case predicted(Int)
    /// A run was not there after so many.
    case notReached(after: Int)
  }
}

extension Finding.AdvisedRate.Standing {
  /// To be read after "a rate so many times larger".
  var words: String {
    switch self {
    case .everywhere: "is safe"
    case .here: "is still below the stability limit at this point (not run)"
    case .run(let steps): "did not diverge when run for \(Wording.count(steps, "step"))"
    }
  }
}

extension Finding.StepCount {
  /// The number of steps; nil where it was not reached.
  var count: Int? {
    switch self {
    case .measured(let count), .predicted(let count): count
    case .notReached: nil
    }
  }

  /// Where the number comes from, in JSON.
  var source: String {
    switch self {
    case .measured: "run"
    case .predicted: "forecast"
    case .notReached: "not-reached"
    }
  }

  /// What the given rate takes beside another; nil where there is nothing to compare.
  func words(beside other: Finding.StepCount?, at rate: Double) -> String? {
    let rate = Wording.number(rate)
    switch (self, other) {
    case (_, nil): return nil
    case (.measured(let own), .measured(let count)?):
      return
        " When run it took \(Wording.count(own, "step")) to reach the tolerance; a rate of \(rate) "
        + "took \(Wording.count(count))."
    case (.measured(let own), .notReached(let steps)?):
      return
        " All the same it reached the tolerance in \(Wording.count(own, "step")) when run; a rate of "
        + "\(rate) was not there after \(Wording.count(steps))."
    case (.measured(let own), .predicted(let count)?):
      return
        " When run it took \(Wording.count(own, "step")) to reach the tolerance; a rate of \(rate) "
        + "would take \(Wording.count(count))."
    case (.predicted(let own), .predicted(let count)?):
      return
        " It would take \(Wording.count(own, "step")) to reach the tolerance; a rate of \(rate) "
        + "would take \(Wording.count(count))."
    case (.predicted(let own), .measured(let count)?):
      return
        " It would take \(Wording.count(own, "step")) to reach the tolerance; a rate of \(rate) "
        + "took \(Wording.count(count)) when run."
    case (.predicted(let own), .notReached?):
      return " It would take \(Wording.count(own, "step")) to reach the tolerance."
    case (.notReached(let steps), .measured(let count)?):
      return
        " When run it was not at the tolerance after \(Wording.count(steps, "step")); a rate of "
        + "\(rate) took \(Wording.count(count))."
    case (.notReached(let steps), .predicted(let count)?):
      return
        " When run it was not at the tolerance after \(Wording.count(steps, "step")); a rate of "
        + "\(rate) would take \(Wording.count(count))."
    case (.notReached, .notReached?): return nil
    }
  }
}

extension RateRun {
  /// By when a run had diverged.
  static func by(_ steps: Int) -> String { "by step \(Wording.count(steps))" }

  /// From which loss to which, in how many steps.
  var course: String {
    let steps = "in \(Wording.count(self.steps, "step"))"
    guard let lossAtStart, let lossAtEnd else { return steps }
    return "from \(Wording.number(lossAtStart)) to \(Wording.number(lossAtEnd)) \(steps)"
  }

  /// Whether the loss neither fell for good nor stayed where it was.
  var isSwinging: Bool {
    guard outcome == .notLower, let lossAtStart, let lossAtEnd else { return false }
    return abs(lossAtEnd - lossAtStart) > 1e-3 * abs(lossAtStart)
  }

  /// What the loss of a run did that neither diverged nor stayed below its start.
  var swing: String {
    let isLower = lossAtStart.flatMap { start in lossAtEnd.map { $0 < start } } ?? false
    return isLower
      ? "the loss swung above its start again on its way \(course)"
      : "the loss did not end below its start, going \(course)"
  }

  /// The curvature that the run went to; empty where it was not measured.
  var ending: String {
    guard let sharpnessAtEnd, sharpnessAtEnd > 0 else { return "" }
    let limit = limitAtEnd.map { ", the limit \(Wording.number($0))" } ?? ""
    return "; where it ended the sharpness is about \(Wording.number(sharpnessAtEnd))\(limit)"
  }

  /// To be read after "each step multiplies the error by 7".
  func aboveLimit(isQuadratic: Bool) -> String {
    switch outcome {
    case .diverged: ", and training diverged when run, \(Self.by(steps))"
    case .fell where isQuadratic:
      ", so training diverges in the end; when run the loss still went \(course), since the start lies "
        + "little along it"
    case .fell:
      ", so training is locally unstable here; yet when run it settled: the loss went \(course)\(ending)"
    case .notLower where isQuadratic: ", so training diverges: when run \(swing)"
    case .notLower:
      ", so training is locally unstable here: when run \(swing)\(ending)"
    }
  }
}
