import Curvature
import LinearMaps
import Presentation

extension CurvatureSurvey {
  private static var isRounded: Bool { Scalar.precisionName == "float32" }

  /// Whether float32 leaves open how flat the flattest directions are.
  var isFlatEndOpen: Bool {
    guard Self.isRounded, modes == nil, dense != nil, !isResolved, largest > zeroThreshold else {
      return false
    }
    return eigenvalues.contains { abs($0) <= 30 * zeroThreshold }
  }

  /// What float32 leaves open of a convex loss's condition number; nil where it is known to a tenth.
  var unresolved: DiagnosisReport.OpenConditionNumber? {
    guard isFlatEndOpen, !curvature.isIndefinite, let positive = smallestPositive,
      let value = positive.value, let residual = positive.residual
    else { return nil }
    let flat = flatCount ?? 0
    let (least, most) = (value - residual, value + residual)
    guard flat > 0 || least < 0.9 * value else { return nil }
    return .init(
      unresolved: flat, atLeast: max(1, largest / most),
      other: flat > 0 ? largest / zeroThreshold : least > 0 ? largest / least : nil)
  }

  /// Takes the spectrum as float64 solved it; what runs in this precision can see stays the same.
  mutating func adopt(inFloat64 other: CurvatureSurvey<Double>) {
    isResolved = true
    (largest, largestResidual) = (other.largest, other.largestResidual)
    upperBound = max(other.upperBound, largest)
    (smallest, smallestResidual) = (other.smallest, other.smallestResidual)
    smallestPositive = other.smallestPositive
    zeroThreshold = other.zeroThreshold
    eigenvalues = other.eigenvalues
    flatCount = other.flatCount
    model = other.model
    sharpest = other.sharpest.map { Scalar($0) }
    operatorApplications += other.operatorApplications
    dense = other.dense
    diagonal = other.diagonal
  }
}

extension StartedProblem {
  /// The most parameters of which the spectrum is solved in float64 beside that in float32.
  private static var mostResolved: Int { 500 }

  /// The spectrum in float64 where that in float32 leaves its flat end open and it costs little; nil where it
  /// was asked for in float32, or the executor cannot.
  func surveyInFloat64(_ survey: CurvatureSurvey<Scalar>) throws -> CurvatureSurvey<Double>? {
    let n = point.count
    guard survey.isFlatEndOpen, whole == nil, request.resources.precision == nil,
      n <= Self.mostResolved,
      Double(2 * n) * budget.product <= 0.02 * budget.limit
    else { return nil }
    context.report("curvature in float64")
    do {
      let objective: any Loss<Double> = try (problem.inFloat64?() ?? problem).loss(
        executor: executor, memory: request.resources.memory, context: context)
      let exact = point.map { Double($0) }
      let (_, gradient) = try objective.valueAndGradient(at: exact)
      return try CurvatureSurvey<Double>(
        of: objective.hessian(at: exact), gradient: gradient, seed: request.resources.seed,
        memory: request.resources.memory / 2)
    } catch let cancelled as CancellationError {
      throw cancelled
    } catch {
      // A kernel that there is in float32 alone: the report gives the range instead.
      return nil
    }
  }
}

extension Finding {
  /// What float32 leaves open of the condition number.
  public static func conditionNumberOpen(
    _ flat: DiagnosisReport.OpenConditionNumber, threshold: Double, parameters: Int
  ) -> Finding {
    let lower = Wording.number(flat.atLeast)
    let words: String
    if flat.unresolved > 0 {
      let directions =
        "\(flat.unresolved) of \(parameters) directions \(flat.unresolved == 1 ? "is" : "are") within rounding of flat"
      words =
        "\(directions): float32 does not tell a curvature below \(Wording.number(threshold)) from none. "
        + "The condition number is at least \(lower), and if any of them curves upwards at all it is at "
        + "least \(Wording.number(flat.other ?? flat.atLeast))"
    } else if let upper = flat.other {
      words =
        "The condition number lies between \(lower) and \(Wording.number(upper)): float32 tells the "
        + "flattest curvature no better"
    } else {
      words =
        "The condition number is at least \(lower): float32 does not tell the flattest curvature from none"
    }
    return Finding(
      id: "condition-number-open", sentence: "\(words); --precision float64 would tell.",
      evidence: [
        "count": .integer(flat.unresolved), "threshold": .number(threshold),
        "lower": .number(flat.atLeast), "other": .number(orMissing: flat.other),
      ])
  }

  /// That a spectrum was solved in more precision than the runs are made in.
  ///
  /// - Parameter resolvable: what those runs do not tell from zero.
  public static func solvedInFloat64(resolvable: Double) -> Finding {
    Finding(
      id: "spectrum-resolved",
      sentence:
        "The curvature is that of float64, since float32 does not tell one below "
        + "\(Wording.number(resolvable)) from none; everything else was run in float32.",
      evidence: ["resolvable": .number(resolvable)])
  }
}
