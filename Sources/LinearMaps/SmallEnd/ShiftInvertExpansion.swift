/// The correction `(I - QQ')(A - sigma I)(I - QQ') t = -r` of the lowest open pair, for the Ritz
/// vectors `Q` up to it: a step of inverse iteration, since `(A - sigma I)^{-1} v` and `(A - sigma
/// I)^{-1} r` span the same with `v`, whose system stays well-conditioned as `sigma` closes in on
/// the eigenvalue.
///
/// Solved to three tenths of `r`: the inner accuracy follows the outer residual, and more of it
/// costs more products than the subspace gives back. `sigma` stays below the pair by its residual,
/// within which there is an eigenvalue. Where conjugate gradients meet negative curvature, the
/// direction shows an eigenvalue below `sigma` and joins the subspace. A given shift above the
/// lowest Ritz value makes the system indefinite, and MINRES solves it.
///
/// Reference: Notay, "Combination of Jacobi-Davidson and conjugate gradients for the partial
/// symmetric eigenproblem" (2002), sections 2 and 3.
struct ShiftInvertExpansion<Map: LinearMap>: SubspaceExpansion {
  typealias Scalar = Map.Scalar
  let map: Map
  let shift: Double?
  let lowerBound: Double
  let preconditioner: NystromPreconditioner<Scalar>?
  let tolerance = 0.3

  init(
    _ map: Map, shift: Double?, lowerBound: Double?,
    preconditioner: NystromPreconditioner<Scalar>?
  ) {
    self.map = map
    self.shift = shift
    self.lowerBound = lowerBound ?? -.infinity
    self.preconditioner = preconditioner
  }

  func directions(_ ritz: LowestRitz<Scalar>, left: Int) throws -> [[Scalar]] {
    let n = map.dimension
    let index = ritz.open[0]
    let known = OrthonormalColumns(
      orthonormal: ritz.vectors[...index].flatMap { $0 }, dimension: n)
    var rhs = ritz.residuals[index].map { -$0 }
    known.project(&rhs)
    let norm = Scalar.nrm2(n, rhs)
    let sigma = shift ?? max(lowerBound, ritz.values[index] - norm)
    let system = ProjectedMap(ShiftedMap(map, shift: Scalar(-sigma)), known)
    let inverse = preconditioner.map { ProjectedMap($0, known) }
    let iterations = max(1, left - 4)
    if let shift, shift > ritz.values[0] {
      return [
        try minres(
          system, rhs: rhs, preconditioner: inverse, tolerance: tolerance,
          maxIterations: iterations
        ).solution
      ]
    }
    let solved = try conjugateGradients(
      system, rhs: rhs, preconditioner: inverse, tolerance: tolerance, maxIterations: iterations)
    let found = [solved.solution, solved.negativeCurvature?.direction].compactMap { $0 }
    return found.filter { $0.contains { $0 != 0 } }
  }
}

/// `(I - QQ') A` on the complement of the columns of `Q`, where it is symmetric.
struct ProjectedMap<Base: LinearMap>: LinearMap {
  let base: Base
  let columns: OrthonormalColumns<Base.Scalar>
  var dimension: Int { base.dimension }

  init(_ base: Base, _ columns: OrthonormalColumns<Base.Scalar>) {
    self.base = base
    self.columns = columns
  }

  func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try base.apply(x, into: y)
    columns.project(y)
  }
}
