import Curvature
import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let diagonalPreconditioner = Self("diagonal-preconditioner", effort: nil)
}

/// Plain descent with each entry of the gradient divided by the Hessian's diagonal entry.
struct DiagonalScaling: Remedy {
  let kind = Prescription.Kind.diagonalPreconditioner

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (start, survey) = (measured.start, measured.survey)
    guard
      survey.diagonal != nil
        || start.budget.affords("the diagonal preconditioner", products: 500, share: 0.2),
      let inverse = try inverseDiagonal(measured),
      let scaled = try scaledSurvey(measured, inverse),
      scaled.largest > scaled.zeroThreshold
    else { return nil }
    let rate =
      (measured.fastestRate(scaled) ?? 1 / scaled.upperBound)
      * (measured.userBatches?.share ?? 1)
    var theory = measured.theory(scaled, rate: rate, by: GradientDescent())
    theory.modes = measured.exactLoss(survey)
    let extra = try measured.diagonalOperations()
    return Plan(
      kind,
      "gradient descent at \(Wording.number(rate)) with each entry of the gradient divided "
        + "by the Hessian's diagonal entry",
      .init(
        conditionNumber: scaled.workingConditionNumber, rate: rate,
        iterations: measured.userBatches == nil ? measured.iterations(scaled, rate: rate) : nil),
      slower: {
        "gradient descent at \(Wording.number($0)) with each entry of the gradient divided by the "
          + "Hessian's diagonal entry"
      }
    ) { [theory] in
      try $0.run(
        start.objective, DiagonalDescent(inverse: inverse), rate: rate, from: start.point,
        theory: theory, extraOperations: extra)
    }
  }

  /// Nil where all entries are rounding, or too far apart for the precision.
  private func inverseDiagonal<Scalar>(_ measured: Measurements<Scalar>) throws -> [Double]? {
    let survey = measured.survey
    let diagonal =
      try survey.diagonal
      ?? hutchinsonDiagonal(
        of: measured.map, probes: Measurements<Scalar>.probes,
        seed: UInt64(bitPattern: Int64(measured.start.request.resources.seed)) &+ 1)
    // An entry within the zero threshold is rounding, and so is what it would be divided into; those of a
    // table's matrix are sums of squares, right to the last digits.
    let peak = diagonal.map(abs).max() ?? 0
    let floor =
      survey.modes == nil
      ? max(DiagonalPreconditioner<Scalar>.relativeFloor * peak, survey.zeroThreshold)
      : Double.leastNormalMagnitude
    guard peak > floor else { return nil }
    let inverse = diagonal.map { abs($0) > 0 ? 1 / max(abs($0), floor) : 1 / peak }
    return inverse.allSatisfy { Scalar($0).isFinite && Scalar($0) > 0 } ? inverse : nil
  }

  private func scaledSurvey<Scalar>(
    _ measured: Measurements<Scalar>, _ inverse: [Double]
  ) throws -> CurvatureSurvey<Scalar>? {
    let start = measured.start
    do {
      var scaled = try CurvatureSurvey(
        of: PreconditionedMap(measured.map, by: DiagonalPreconditioner(inverse: inverse)),
        gradient: zip(start.gradient, inverse).map { Scalar(Double($0) * $1.squareRoot()) },
        seed: start.request.resources.seed, denseLimit: 1500,
        memory: start.request.resources.memory / 2)
      if measured.survey.modes != nil, let table = start.problem.table,
        let modes = start.modes(
          of: table, at: start.point, scaling: inverse.map { $0.squareRoot() })
      {
        scaled.adopt(modes)
      }
      return scaled
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }
}

extension Measurements {
  /// Sign vectors that a diagonal is estimated from.
  fileprivate static var probes: Int { 32 }

  /// What the Hessian's diagonal cost: a product per column where the matrix was written out.
  func diagonalOperations() throws -> Double {
    try Double(survey.diagonal?.count ?? Self.probes) * map.productOperations()
  }
}
