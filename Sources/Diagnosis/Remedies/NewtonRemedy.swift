import LinearMaps
import Training

extension Prescription.Kind {
  /// Its line search lets the loss fall only.
  public static let newtonCG = Self("newton-cg", effort: nil, swing: .never)
}

/// Newton's method by conjugate gradients: a remedy, and the search for the minimum that all others are
/// judged by; so it is run first and shown last.
enum NewtonRemedy {
  static func prescription<Scalar>(
    _ measured: Measurements<Scalar>, beside plans: [Prescription]
  ) -> Prescription {
    Prescription(
      .newtonCG, change: "Newton's method, each step solved by conjugate gradients",
      predicted: .init(conditionNumber: 1, iterations: iterations(measured, plans)))
  }

  /// One, where conjugate gradients on the diagonally scaled Hessian can solve a quadratic's step far
  /// enough in this precision.
  private static func iterations<Scalar>(
    _ measured: Measurements<Scalar>, _ plans: [Prescription]
  ) -> Int? {
    let diagonal = plans.first { $0.id == Prescription.Kind.diagonalPreconditioner.rawValue }
    guard measured.start.problem.isQuadratic, let kappa = diagonal?.predicted.conditionNumber else {
      return nil
    }
    // Newton-CG divides by no entry below a share of 1e-12 of the largest.
    let entries = measured.survey.diagonal?.filter { $0 > 0 } ?? []
    guard
      (entries.min() ?? 1)
        > DiagonalPreconditioner<Scalar>.relativeFloor * (entries.max() ?? 1)
    else { return nil }
    return kappa <= min(1e9, 0.01 / Double(Scalar.ulpOfOne)) ? 1 : nil
  }

  /// - Parameter trial: operations of a trial, a few of which the search may take where it is to be shorter
  ///   than a thorough one.
  static func run<Scalar>(
    _ measured: Measurements<Scalar>, trial: Double
  ) throws -> NewtonCG<Scalar> {
    let start = measured.start
    start.context.report("finding the minimum (newton-cg)")
    let exact = measured.exactLoss(measured.survey)
    return try NewtonCG(
      minimizing: start.objective, from: start.point, diagonal: measured.survey.diagonal,
      tolerance: min(1e-12, 1e-6 * start.request.trials.tolerance),
      forcing: start.problem.isQuadratic ? 1e-8 : 1e-3,
      maxOperations: start.budget.cutsTrials
        ? trial * (start.problem.isLinearInParameters ? 3 : 1)
        : start.problem.table == nil
          ? 2000 * start.objective.gradientOperations() : .infinity,
      limitsProducts: start.budget.cutsTrials,
      relativeGap: { x in exact?.relativeGap(at: x.map { Double($0) }) }, context: start.context)
  }
}
