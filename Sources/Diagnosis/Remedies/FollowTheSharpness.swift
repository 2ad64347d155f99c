import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let followSharpness = Self("follow-sharpness", effort: nil)
}

/// The rate as a share of the stability limit that is measured anew as the run goes on, with the given optimizer
/// where its limit is that of the Hessian, else with plain descent.
///
/// On a quadratic the sharpness stays what it is, and without hidden layers it changes little: the fastest rate says
/// it all. Where the loss has no finite minimum, its sharpness falls with it and the rate would grow without end.
struct FollowTheSharpness: Remedy {
  let kind = Prescription.Kind.followSharpness

  /// Short of the edge, where the sharpest direction never comes down on a bowl.
  private static let share = 0.95
  private static let every = 50

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    guard start.problem.isNetwork, !measured.finiteMinimum.isAbsent,
      start.budget.affords("following the sharpness", products: 40, share: 0.1)
    else { return nil }
    let (optimizer, rule) = measured.descent
    // Of the limit on all samples, which is what is measured.
    let share = Self.share * (measured.userBatches?.share ?? 1)
    let rate = share * rule.criticalProduct / measured.survey.upperBound
    let form = TrialForm(
      schedule: SharpnessFollowing(share: share, every: Self.every),
      seed: start.request.resources.probeSeed)
    let change =
      "\(optimizer.phrase) at \(Wording.number(share)) of the stability limit, measured anew every "
      + "\(Self.every) steps, at first about \(Wording.number(rate))"
    return Plan(kind, change, .init(rate: rate)) { bench in
      // Its rate comes from the limit: halves of the one given change nothing.
      var bench = bench
      bench.halvings = 0
      var outcome = try bench.run(
        start.objective, optimizer, rate: rate, from: start.point, form: form)
      outcome.change = outcome.lastRate.map { "\(change), at last \(Wording.number($0))" }
      return outcome
    }
  }
}

extension DiagnosisProblem {
  /// Whether it may be more than a table's linear model, whose loss is convex.
  var isNetwork: Bool {
    guard let table else { return !isQuadratic }
    if case .mlp = table.model { return true }
    return false
  }
}

extension Measurements {
  /// The given optimizer where the Hessian itself sets its limit, else gradient descent.
  var descent: (optimizer: any Optimizer, rule: StepRule) {
    if let rule = start.optimizer.stability, !rule.isPreconditioned {
      return (start.optimizer, rule)
    }
    return (GradientDescent(), .gradientDescent)
  }
}
