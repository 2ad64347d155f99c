import Curvature
import LinearMaps
import Training

extension Measurements {
  /// A minimum for certain: that of a quadratic, or a stationary point of no negative curvature from
  /// which the local quadratic promises no gain that counts.
  ///
  /// That Newton's method came to rest proves nothing: with conjugate gradients cut short, or along a
  /// direction that rounding flattens, it rests far above the minimum.
  func certifiedMinimum(_ newton: NewtonCG<Scalar>) throws -> Reference? {
    if let exact = exactLoss(survey) {
      return Reference(loss: exact.minimum, source: "a dense solve", isCertified: true)
    }
    if start.problem.isQuadratic {
      return try denseMinimum().map {
        Reference(loss: $0, source: "a dense solve", isCertified: true)
      }
    }
    if let infimum = finiteMinimum.absence?.infimum {
      return Reference(
        loss: infimum, source: "the infimum, which no finite parameters reach", isCertified: true)
    }
    let isConvex = start.problem.isLinearInParameters
    guard isConvex || newton.ending == .converged || newton.ending == .stalled else { return nil }
    var x = newton.parameters
    var (value, gradient) = try start.objective.valueAndGradient(at: x)
    for _ in 0..<(isConvex ? 20 : 1) where value.isFinite {
      let modes = start.problem.table.flatMap { start.modes(of: $0, at: x) }
      guard let gain = try modes?.initialGap ?? localGain(at: x, gradient, drop: start.loss - value)
      else { return nil }
      let rounding = 4 * Double(Scalar.ulpOfOne) * abs(value)
      if gain <= max(0.01 * start.request.trials.tolerance * (start.loss - value), rounding) {
        return Reference(
          loss: value,
          source: finiteMinimum.isAbsent || newton.ending == .noFiniteMinimum
            ? "Newton-CG, on its way to the infimum"
            : isConvex ? "Newton-CG" : "Newton-CG, at a minimum of its neighbourhood",
          isCertified: true)
      }
      // Steps that no conjugate gradients cut short.
      guard let target = modes?.minimiser, !start.context.isCancelled() else { return nil }
      var share = 1.0
      var isLower = false
      for _ in 0..<20 where !isLower {
        let candidate = zip(x, target).map { Scalar(Double($0) + share * ($1 - Double($0))) }
        let (other, slope) = try start.objective.valueAndGradient(at: candidate)
        if other < value {
          (x, value, gradient, isLower) = (candidate, other, slope, true)
        }
        share /= 2
      }
      guard isLower else { return nil }
    }
    return nil
  }

  /// What the quadratic at a point promises to gain; nil where it curves downwards, where rounding may
  /// hide gains, or where it cannot be measured.
  private func localGain(
    at x: [Scalar], _ gradient: [Scalar], drop: Double
  ) throws -> Double? {
    // Ritz values and a Gauss rule bound both from the wrong side.
    guard start.canSolveDensely, x.count <= 1500 else { return nil }
    do {
      let survey = try CurvatureSurvey(
        of: start.objective.hessian(at: x), gradient: gradient, seed: start.request.resources.seed,
        denseLimit: 1500, memory: start.request.resources.memory / 2,
        products: (60, 60))
      guard survey.dense != nil, !survey.curvature.isIndefinite,
        survey.largest > survey.zeroThreshold
      else {
        return nil
      }
      let gain = survey.model.initialGap
      let norm = survey.model.squaredGradientNorm
      // Of a gradient that is rounding, no slope along flat directions says anything.
      let rounding = 100 * Double(Scalar.ulpOfOne) * start.gradientNorm
      if norm.squareRoot() > rounding,
        survey.model.hidesGains(
          0.01 * start.request.trials.tolerance * drop, precision: Double(Scalar.ulpOfOne))
      {
        return nil
      }
      return gain
    } catch is LinearMapError {
      return nil
    } catch is CurvatureError {
      return nil
    }
  }

  /// The minimum of a quadratic loss by its dense eigensystem, refined until the loss stops falling; nil
  /// where directions below rounding may lead lower.
  private func denseMinimum() throws -> Double? {
    guard let system = survey.dense, !survey.hidesGains(tolerance: start.request.trials.tolerance)
    else {
      return nil
    }
    let n = system.dimension
    var x = start.point
    var best = start.loss
    var left = Double.infinity
    for _ in 0..<8 {
      let (_, gradient) = try start.objective.valueAndGradient(at: x)
      left = 0
      for index in 0..<n where system.values[index] > survey.zeroThreshold {
        let vector = system.vector(index)
        let slope = zip(vector, gradient).reduce(0) { $0 + $1.0 * Double($1.1) }
        left += slope * slope / (2 * system.values[index])
        Scalar.axpy(
          n, Scalar(-slope / system.values[index]), vector.map { Scalar($0) }, &x)
      }
      let value = try start.objective.value(at: x)
      guard value < best else { break }
      best = value
    }
    // What the last step had still to gain tells whether the system was solved.
    let rounding = 16 * Double(Scalar.ulpOfOne) * abs(best)
    return left <= max(0.01 * start.request.trials.tolerance * (start.loss - best), rounding)
      ? best : nil
  }
}
