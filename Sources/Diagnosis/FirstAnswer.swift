import Curvature
import LinearMaps
import Presentation
import Training

extension DiagnosisReport {
  /// How far a diagnosis got: the last stage that it finished.
  public enum Stage: String, Sendable, Codable, CaseIterable, Comparable {
    /// Loss and gradient at the point are known.
    case start
    /// The largest eigenvalue too, and with it the limit of the rate.
    case sharpness
    /// Everything that is measured at the point; no trial has ended.
    case curvature
    /// Some trials ended, and others were interrupted.
    case trials
    /// All that was asked for.
    case complete

    public static func < (left: Stage, right: Stage) -> Bool {
      allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
  }
}

/// What the largest curvature says of the learning rate, told before anything else is measured.
///
/// Whatever is found out later, it stays true: it is of the limit at the point of diagnosis alone, and says
/// so. Where `rate` falls between what the two ends of the sharpness allow, it takes no side.
public struct FirstAnswer: Sendable, Equatable, Codable {
  /// A lower bound on the largest eigenvalue: a Ritz value.
  public let sharpness: Double
  /// The largest eigenvalue does not exceed this, but for `failureProbability`.
  public let upperBound: Double
  public let failureProbability: Double
  /// The largest rate of the optimizer that is certainly stable here; nil where it is not known.
  public let stabilityLimit: Double?
  /// The rate asked about.
  public let given: Double?
  /// `1 / upperBound`, a rate of plain descent to begin with; nil for other optimizers.
  public let suggested: Double?
  public let sentence: String

  /// - Parameter ofStep: the largest eigenvalue of the Hessian divided by what the optimizer divides its steps
  ///   by, and a bound on it, where they are known.
  /// - Precondition: `0 < sharpness <= upperBound`.
  init(
    sharpness: Double, upperBound: Double, failureProbability: Double, optimizer: any Optimizer,
    given: Double?, isQuadratic: Bool, areTrialsRun: Bool,
    ofStep: (value: Double, upperBound: Double)? = nil
  ) {
    self.sharpness = sharpness
    self.upperBound = upperBound
    self.failureProbability = failureProbability
    self.given = given
    let rule = optimizer.stability
    let isPlain = optimizer.isPlainDescent
    suggested = isPlain ? 1 / upperBound : nil
    let sharpest =
      "The sharpest curvature is \(Wording.number(sharpness, digits: 4)), at most "
      + "\(Wording.number(upperBound, digits: 4))"
    let basis =
      "This rests on the curvature measured here"
      + (areTrialsRun ? "; trials follow, and may revise it." : "; no trial follows.")
    let known = rule?.isPreconditioned == true ? ofStep : (sharpness, upperBound)
    guard let rule, let known, let limit = rule.limit(curvature: known.upperBound),
      limit.isFinite
    else {
      stabilityLimit = nil
      sentence =
        "\(sharpest). The limit of \(optimizer.phrase) is another than plain descent's, which is "
        + "\(Wording.number(2 / upperBound)) here. \(basis)"
      return
    }
    stabilityLimit = limit
    // What a step is divided by moves along with it.
    let isQuadratic = isQuadratic && !rule.isPreconditioned
    let place = isQuadratic ? "" : " at this point"
    var text =
      sharpest
      + (rule.isPreconditioned
        ? ", and along the steps of this optimizer \(Wording.number(known.value, digits: 4))" : "")
      + ": the stability limit of \(optimizer.phrase)\(place) is \(Wording.number(limit))."
    if let given {
      let most = rule.limit(curvature: known.value) ?? limit
      let share = Wording.number(given / limit)
      if given >= most {
        text +=
          " Yours, \(Wording.number(given)), is \(share) times that: along the sharpest direction steps "
          + "grow\(isQuadratic ? "" : " at first")."
      } else if given < limit {
        text += " Yours, \(Wording.number(given)), is \(share) of that."
      } else {
        text += " Yours, \(Wording.number(given)), is at that limit, as near as it is known yet."
      }
    }
    if isPlain {
      text += " Until more is known, \(Wording.number(1 / upperBound)) suits that direction."
    }
    sentence = "\(text) \(basis)"
  }
}

extension StartedProblem {
  /// The largest eigenvalue by Lanczos alone, before everything else that is measured: by itself where the
  /// survey would go on from it, else within a small share of the budget.
  func sharpness(_ map: CurvatureMap<Scalar>) throws -> TopEigenpairs<Scalar> {
    let isDense = point.count <= denseLimit
    var options = CurvatureSurvey<Scalar>.options(
      map.dimension, seed: request.resources.seed, isDense: isDense,
      products: isDense ? surveyProducts.ends : budget.products(share: 0.05, least: 8, most: 40),
      memory: request.resources.memory / 2)
    if !isDense {
      options.end = .largest
      options.tolerance = 1e-3
    }
    return try TopEigenpairs(of: map, options: options)
  }

  /// Nil where nothing is known to curve upwards.
  func firstAnswer(
    _ top: TopEigenpairs<Scalar>, ofStep: (value: Double, upperBound: Double)? = nil
  ) -> FirstAnswer? {
    let pair = top.largest[0]
    let rounding = max(
      Double(point.count) * Double.ulpOfOne * top.scale, top.rounding,
      CurvatureSurvey<Scalar>.leastCurvature)
    let bound = max(top.upperBound ?? pair.value + pair.residual, pair.value)
    guard pair.value > rounding, (2 / bound).isFinite, bound.isFinite else { return nil }
    return FirstAnswer(
      sharpness: pair.value, upperBound: bound, failureProbability: top.failureProbability,
      optimizer: optimizer, given: request.training.rate, isQuadratic: problem.isQuadratic,
      areTrialsRun: request.trials.areRun, ofStep: ofStep)
  }

  /// What can be said before there are measurements.
  func report(_ stage: DiagnosisReport.Stage, _ first: FirstAnswer? = nil) -> DiagnosisReport {
    var learningRate = DiagnosisReport.LearningRate(
      LearningRateFacts(
        .init(largest: 0, upperBound: 0, smallest: 0, zeroThreshold: 0), rule: nil, given: nil))
    learningRate.stabilityLimit = first?.stabilityLimit
    learningRate.given = request.training.rate
    learningRate.note = first == nil ? "the curvature was not measured yet" : nil
    var report = DiagnosisReport(
      problem: facts,
      curvature: .init(
        largest: .init(
          value: first?.sharpness, residual: nil, upperBound: first?.upperBound,
          failureProbability: first?.failureProbability),
        smallest: .init(value: nil, residual: nil), indefinite: false, operatorApplications: 0),
      learningRate: learningRate, directions: [],
      prediction: .init(
        rate: request.training.rate, iterations: nil, tolerance: request.trials.tolerance),
      findings: [.interrupted(done: 0, planned: 0)], prescriptions: [])
    report.stage = stage
    report.first = first
    report.request = request
    return report
  }
}
