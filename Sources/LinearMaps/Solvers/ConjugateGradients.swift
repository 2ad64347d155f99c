import Presentation

/// What conjugate gradients reached.
public struct ConjugateGradientsResult<Scalar: LinearMapScalar>: Sendable {
  /// A direction `p` of unit norm with its curvature `p'Ap`.
  public struct Curvature: Sendable {
    public let direction: [Scalar]
    public let curvature: Double
  }

  /// The last iterate; where negative curvature stopped the method, the one before it was met.
  public let solution: [Scalar]
  /// `‖b - A x‖`, from the iteration's own recurrence or, at the end, recomputed.
  public let residualNorm: Double
  public let iterations: Int
  public let convergence: Convergence
  /// The first direction met with `p'Ap <= 0`, beyond rounding or (flat) within it.
  public let negativeCurvature: Curvature?
}

/// Solves `A x = b` for a symmetric positive definite map; `x` minimises `x'Ax/2 - b'x`.
///
/// Stops when `‖b - A x‖ <= tolerance ‖b‖`, and then measures that residual by one more product; when
/// a direction shows `p'Ap <= 0`, which it reports; when rounding lets the residual fall no further.
/// `preconditioner` is a positive definite map close to `A^{-1}`.
/// Throws what the maps throw, `nonFiniteProduct` and `nonFiniteVector`.
///
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithms 5.3 and 7.1.
public func conjugateGradients<Map: LinearMap>(
  _ map: Map, rhs: [Map.Scalar], start: [Map.Scalar]? = nil,
  preconditioner: (any LinearMap<Map.Scalar>)? = nil, tolerance: Double = 1e-10,
  maxIterations: Int
) throws -> ConjugateGradientsResult<Map.Scalar> {
  var iteration = try ConjugateGradientsIteration(
    map, rhs: rhs, start: start, preconditioner: preconditioner)
  return try iteration.run(tolerance: tolerance, maxIterations: maxIterations)
}

private struct ConjugateGradientsIteration<Map: LinearMap> {
  typealias Scalar = Map.Scalar

  let map: Map
  let preconditioner: (any LinearMap<Scalar>)?
  let n: Int
  let b: [Scalar]
  /// What the tolerance is relative to: `‖b‖`, or the first residual's norm for `b = 0`.
  private(set) var reference: Double
  var x: [Scalar]
  var r: [Scalar]
  var applications = 0
  var iterations = 0
  /// Largest `‖A p‖ / ‖p‖` met: a lower estimate of `|A|`.
  var operatorNorm = 0.0

  init(
    _ map: Map, rhs: [Scalar], start: [Scalar]?, preconditioner: (any LinearMap<Scalar>)?
  ) throws {
    self.map = map
    self.preconditioner = preconditioner
    n = map.dimension
    b = rhs
    precondition(rhs.count == n, "a right side of \(rhs.count) meets a map of dimension \(n)")
    precondition(start == nil || start!.count == rhs.count, "the start does not fit the map")
    if let index = Scalar.firstNonFinite(n, rhs) {
      throw LinearMapError.nonFiniteVector(role: "right side", index: index)
    }
    if let start, let index = Scalar.firstNonFinite(n, start) {
      throw LinearMapError.nonFiniteVector(role: "start vector", index: index)
    }
    reference = Scalar.nrm2(n, rhs)
    x = start ?? [Scalar](repeating: 0, count: n)
    r = rhs
    if start != nil { r = try residual() }
    if reference == 0 { reference = Scalar.nrm2(n, r) }
  }

  mutating func product(_ v: [Scalar]) throws -> [Scalar] {
    let result = try map(v)
    applications += 1
    if let index = Scalar.firstNonFinite(n, result) {
      throw LinearMapError.nonFiniteProduct(application: applications, index: index)
    }
    return result
  }

  mutating func residual() throws -> [Scalar] {
    let ax = try product(x)
    return zip(b, ax).map { $0 - $1 }
  }

  mutating func run(
    tolerance: Double, maxIterations: Int
  ) throws -> ConjugateGradientsResult<Scalar> {
    let target = tolerance * reference
    var best = Double.infinity
    while true {
      let stop = try sweep(target: target, maxIterations: maxIterations)
      if let stop { return stop }
      // The recurrence says converged: believe it only when a measured residual agrees.
      if applications > 0 { r = try residual() }
      let measured = Scalar.nrm2(n, r)
      if measured <= target || (iterations == 0 && measured == 0) {
        return result(.converged, residualNorm: measured, tolerance: tolerance)
      }
      if measured > 0.5 * best || iterations >= maxIterations {
        let reason: Convergence.Reason =
          iterations >= maxIterations && measured <= 0.5 * best ? .budget : .stagnatedAtRounding
        return result(reason, residualNorm: measured, tolerance: tolerance)
      }
      best = measured
    }
  }

  /// Iterates from `x`, whose residual is `r`, until the recurrence meets the target (nil) or
  /// something else ends the method.
  private mutating func sweep(
    target: Double, maxIterations: Int
  ) throws -> ConjugateGradientsResult<Scalar>? {
    var norm = Scalar.nrm2(n, r)
    if norm <= target { return nil }
    var z = try preconditioner.map { try $0(r) } ?? r
    var p = z
    var rz = Scalar.dot(n, r, z)
    var lowest = norm
    var sinceLowest = 0
    while norm > target {
      if iterations >= maxIterations {
        return result(.budget, residualNorm: norm, tolerance: target / reference)
      }
      let ap = try product(p)
      let pp = Scalar.dot(n, p, p)
      let curvature = Scalar.dot(n, p, ap) / pp
      operatorNorm = max(operatorNorm, Scalar.nrm2(n, ap) / pp.squareRoot())
      let level = 4 * Double(Scalar.ulpOfOne) * operatorNorm
      if !(curvature > level) {
        let scale = 1 / pp.squareRoot()
        return result(
          curvature < -level ? .negativeCurvature : .flatDirection, residualNorm: norm,
          tolerance: target / reference,
          curvature: .init(direction: p.map { Scalar(Double($0) * scale) }, curvature: curvature))
      }
      let step = rz / (curvature * pp)
      Scalar.axpy(n, Scalar(step), p, &x)
      Scalar.axpy(n, Scalar(-step), ap, &r)
      iterations += 1
      norm = Scalar.nrm2(n, r)
      sinceLowest = norm < 0.99 * lowest ? 0 : sinceLowest + 1
      lowest = min(lowest, norm)
      // In exact arithmetic n steps end it; far beyond them only rounding is left.
      if sinceLowest > 2 * n + 50 {
        return result(.stagnatedAtRounding, residualNorm: norm, tolerance: target / reference)
      }
      z = try preconditioner.map { try $0(r) } ?? r
      let next = Scalar.dot(n, r, z)
      Scalar.scal(n, Scalar(next / rz), &p)
      Scalar.axpy(n, 1, z, &p)
      rz = next
    }
    return nil
  }

  private func result(
    _ reason: Convergence.Reason, residualNorm: Double, tolerance: Double,
    curvature: ConjugateGradientsResult<Scalar>.Curvature? = nil
  ) -> ConjugateGradientsResult<Scalar> {
    let relative = Wording.short(reference > 0 ? residualNorm / reference : 0)
    let advice: String
    switch reason {
    case .negativeCurvature:
      advice =
        "A direction of negative curvature \(Wording.short(curvature?.curvature ?? 0)) was met after "
        + "\(iterations) iterations: the map is not positive definite; descend along the direction "
        + "or damp the map."
    case .flatDirection:
      advice =
        "A direction without curvature was met after \(iterations) iterations at a relative "
        + "residual of \(relative): the map is singular there; damp the map or project it out."
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
    return ConjugateGradientsResult(
      solution: x, residualNorm: residualNorm, iterations: iterations,
      convergence: Convergence(
        reason: reason, operatorApplications: applications, advice: advice),
      negativeCurvature: curvature)
  }
}
