import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let standardiseTarget = Self("standardise-target", effort: 2)
  public static let standardiseInputs = Self("standardise-inputs", effort: 2)
}

extension TargetScaling {
  /// The change in words.
  func phrase(_ name: String?) -> String {
    "train on the target \(name ?? "y") minus its mean \(Wording.number(mean)), divided by its standard "
      + "deviation \(Wording.number(deviation)), and turn predictions back"
  }
}

/// Plain descent of a network on a target of mean 0 and deviation 1. A linear model takes the same course
/// on either target, at the same rate.
struct StandardiseTarget: Remedy {
  let kind = Prescription.Kind.standardiseTarget

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    guard !measured.start.problem.isLinearInParameters, let target = measured.targetScaling,
      measured.hasToReach(target),
      let problem = try measured.rescaled(inputs: false, target: target)
    else { return nil }
    return try measured.descent(
      on: problem, kind, after: target.phrase(measured.start.problem.targetName),
      note: "trained afresh from the same weights; losses are in the target's units, "
        + "\(Wording.number(target.lossFactor)) times those on the scaled target")
  }
}

/// Plain descent of a model from a file on inputs of mean 0 and deviation 1.
struct StandardiseInputs: Remedy {
  let kind = Prescription.Kind.standardiseInputs

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    guard measured.inputs != nil,
      let problem = try measured.rescaled(inputs: true, target: nil)
    else { return nil }
    return try measured.descent(
      on: problem, kind, after: Self.phrase, note: Self.note)
  }

  static var phrase: String {
    "subtract each input feature's mean and divide by its standard deviation"
  }

  static var note: String {
    "the parameters stay at their start, so that training begins at another function"
  }
}

extension Measurements {
  /// Plain descent on a rescaled problem at the rate that its curvature asks for.
  fileprivate func descent(
    on problem: RescaledProblem<Scalar>, _ kind: Prescription.Kind, after change: String,
    note: String
  ) throws -> Plan<Scalar>? {
    guard let survey = try problem.survey(start), survey.largest > survey.zeroThreshold else {
      return nil
    }
    let rate = fastestRate(survey) ?? 1 / survey.upperBound
    let iterations =
      userBatches == nil
      ? try descentIterations(problem.objective, from: problem.start, rate: rate, survey) : nil
    return Plan(
      kind, "\(change), then gradient descent at \(Wording.number(rate))",
      .init(
        conditionNumber: survey.workingConditionNumber, rate: rate, iterations: iterations),
      note: note, isAfresh: true
    ) { bench in
      var outcome = try problem.run(
        { try $0.run(problem.objective, GradientDescent(), rate: rate, from: problem.start) },
        on: bench)
      // No command scales a target or a model's inputs.
      outcome.course = nil
      return outcome
    }
  }
}
