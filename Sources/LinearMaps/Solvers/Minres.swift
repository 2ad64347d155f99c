import Presentation

/// What the method of minimal residuals reached.
public struct MinresResult<Scalar: LinearMapScalar>: Sendable {
  public let solution: [Scalar]
  /// `‖b - A x‖`, from the iteration's own recurrence or, at the end, recomputed.
  public let residualNorm: Double
  public let iterations: Int
  /// `flatDirection` where `A` is singular and `b` has a part outside its range: the solution is
  /// then one of least squares.
  public let convergence: Convergence
}

/// Solves `A x = b` for a symmetric map that may be indefinite or singular; `x` minimises
/// `‖b - A x‖` over the Krylov space.
///
/// Stops when `‖b - A x‖ <= tolerance ‖b‖`, and then measures that residual by one more product;
/// when `‖A r‖` shows that no `x` does better; when rounding lets the residual fall no further.
/// `preconditioner` is a positive definite map close to `|A|^{-1}`; the residual is then minimal in
/// its norm. Memory: eight vectors, no basis.
/// Throws what the maps throw, `nonFiniteProduct` and `nonFiniteVector`.
///
/// Reference: Paige and Saunders, "Solution of sparse indefinite systems of linear equations"
/// (1975), section 6; Choi, Paige and Saunders, "MINRES-QLP" (2011), section 2.
public func minres<Map: LinearMap>(
  _ map: Map, rhs: [Map.Scalar], start: [Map.Scalar]? = nil,
  preconditioner: (any LinearMap<Map.Scalar>)? = nil, tolerance: Double = 1e-10,
  maxIterations: Int
) throws -> MinresResult<Map.Scalar> {
  var iteration = try MinresIteration(map, rhs: rhs, start: start, preconditioner: preconditioner)
  return try iteration.run(tolerance: tolerance, maxIterations: maxIterations)
}

private struct MinresIteration<Map: LinearMap> {
  typealias Scalar = Map.Scalar

  let map: CountedMap<Map>
  let preconditioner: (any LinearMap<Scalar>)?
  let n: Int
  let b: [Scalar]
  var reference: Double
  var x: [Scalar]
  var r: [Scalar]
  var iterations = 0

  init(
    _ map: Map, rhs: [Scalar], start: [Scalar]?, preconditioner: (any LinearMap<Scalar>)?
  ) throws {
    self.map = CountedMap(map)
    self.preconditioner = preconditioner
    n = map.dimension
    b = rhs
    precondition(rhs.count == n, "a right side of \(rhs.count) meets a map of dimension \(n)")
    precondition(start == nil || start!.count == n, "the start does not fit the map")
    if let index = Scalar.firstNonFinite(n, rhs) {
      throw LinearMapError.nonFiniteVector(role: "right side", index: index)
    }
    if let start, let index = Scalar.firstNonFinite(n, start) {
      throw LinearMapError.nonFiniteVector(role: "start vector", index: index)
    }
    reference = Scalar.nrm2(n, rhs)
    x = start ?? [Scalar](repeating: 0, count: n)
    r = rhs
    if start != nil { try measure() }
    if reference == 0 { reference = Scalar.nrm2(n, r) }
  }

  mutating func measure() throws {
    let ax = try map(x)
    r = zip(b, ax).map { $0 - $1 }
  }

  mutating func run(tolerance: Double, maxIterations: Int) throws -> MinresResult<Scalar> {
    let target = tolerance * reference
    var best = Double.infinity
    while true {
      let ended = try sweep(
        target: target, flatLevel: max(min(tolerance, 1e-8), 32 * Double(Scalar.ulpOfOne)),
        maxIterations: maxIterations)
      if iterations > 0 && ended != .budget { try measure() }
      let measured = Scalar.nrm2(n, r)
      if measured <= target { return result(.converged, measured, tolerance) }
      if let ended { return result(ended, measured, tolerance) }
      if measured > 0.5 * best { return result(.stagnatedAtRounding, measured, tolerance) }
      best = measured
    }
  }

  /// Iterates from `x`, whose residual is `r`, until the recurrence meets the target (nil) or
  /// something else ends the method.
  ///
  /// The letters are those of the paper: Lanczos vectors `v` with `alpha`, `beta`; `(c, s)` the
  /// rotations of the QR factorisation of `T_k`; `d` the search directions; `phi` what is left.
  private mutating func sweep(
    target: Double, flatLevel: Double, maxIterations: Int
  ) throws -> Convergence.Reason? {
    var norm = Scalar.nrm2(n, r)
    if norm <= target { return nil }
    var z = r
    var v = try preconditioner.map { try $0(z) } ?? z
    var beta = Scalar.dot(n, z, v).squareRoot()
    guard beta > 0 else { return .stagnatedAtRounding }
    var previous = [Scalar](repeating: 0, count: n)
    var (d1, d2) = (previous, previous)
    var (phi, oldBeta) = (beta, 0.0)
    var (c, s, deltaBar, epsilon) = (-1.0, 0.0, 0.0, 0.0)
    var operatorNorm = 0.0
    var (lowest, sinceLowest) = (norm, 0)
    while norm > target {
      if iterations >= maxIterations { return .budget }
      Scalar.scal(n, Scalar(1 / beta), &v)
      Scalar.scal(n, Scalar(1 / beta), &z)
      var next = try map(v)
      if oldBeta > 0 { Scalar.axpy(n, Scalar(-beta), previous, &next) }
      let alpha = Scalar.dot(n, v, next)
      Scalar.axpy(n, Scalar(-alpha), z, &next)
      let preconditioned = try preconditioner.map { try $0(next) } ?? next
      let nextBeta = max(0, Scalar.dot(n, next, preconditioned)).squareRoot()
      operatorNorm = max(
        operatorNorm,
        (alpha * alpha + beta * beta * (oldBeta > 0 ? 1 : 0)
          + nextBeta * nextBeta).squareRoot())

      let oldEpsilon = epsilon
      let delta = c * deltaBar + s * alpha
      let gammaBar = s * deltaBar - c * alpha
      epsilon = s * nextBeta
      deltaBar = -c * nextBeta
      // ‖A r‖ / ‖r‖ of the iterate before this step.
      let flatness = (gammaBar * gammaBar + deltaBar * deltaBar).squareRoot()
      if flatness <= flatLevel * operatorNorm { return .flatDirection }
      let gamma = (gammaBar * gammaBar + nextBeta * nextBeta).squareRoot()
      c = gammaBar / gamma
      s = nextBeta / gamma

      var direction = v
      Scalar.axpy(n, Scalar(-oldEpsilon), d1, &direction)
      Scalar.axpy(n, Scalar(-delta), d2, &direction)
      Scalar.scal(n, Scalar(1 / gamma), &direction)
      Scalar.axpy(n, Scalar(c * phi), direction, &x)
      (d1, d2) = (d2, direction)
      phi *= s
      // r_k = s² r_{k-1} - phi_k c_k v_{k+1}, which needs no product.
      Scalar.scal(n, Scalar(s * s), &r)
      if nextBeta > 0 { Scalar.axpy(n, Scalar(-phi * c / nextBeta), next, &r) }
      norm = Scalar.nrm2(n, r)
      iterations += 1
      if nextBeta <= 4 * Double(Scalar.ulpOfOne) * operatorNorm { return nil }
      sinceLowest = norm < 0.99 * lowest ? 0 : sinceLowest + 1
      lowest = min(lowest, norm)
      if sinceLowest > 2 * n + 50 { return .stagnatedAtRounding }
      previous = z
      (z, v) = (next, preconditioned)
      (oldBeta, beta) = (beta, nextBeta)
    }
    return nil
  }

  private func result(
    _ reason: Convergence.Reason, _ residualNorm: Double, _ tolerance: Double
  ) -> MinresResult<Scalar> {
    let relative = Wording.short(reference > 0 ? residualNorm / reference : 0)
    let advice: String
    switch reason {
    case .flatDirection, .negativeCurvature:
      advice =
        "The map is singular and the right side has a part outside its range: after "
        + "\(iterations) iterations the relative residual \(relative) is that of least squares; "
        + "project the right side or damp the map."
    case .budget:
      advice =
        "The budget of \(iterations) iterations was spent at a relative residual of \(relative): "
        + "allow more, precondition, or accept a larger tolerance."
    case .stagnatedAtRounding:
      advice =
        "Rounding in \(Scalar.precisionName) holds the relative residual at \(relative), above the "
        + "tolerance \(Wording.short(tolerance)): accept that accuracy or use a higher precision."
    case .converged, .invariantSubspace:
      advice = "Converged after \(iterations) iterations at a relative residual of \(relative)."
    }
    return MinresResult(
      solution: x, residualNorm: residualNorm, iterations: iterations,
      convergence: Convergence(
        reason: reason, operatorApplications: map.products, advice: advice))
  }
}
