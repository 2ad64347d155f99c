import Presentation

/// How a search for the smallest eigenpairs ended, in a reason and a sentence.
struct SmallestEndJudgement {
  let convergence: Convergence

  init<Scalar: LinearMapScalar>(
    pairs: [(value: Double, residual: Double)], products: Int, _ end: LanczosSmallEnd<Scalar>,
    method: SmallestEigenpairs<Scalar>.Method, options: SmallestEigenpairs<Scalar>.Options
  ) {
    let scale = end.scale.asDivisor
    let residual = pairs.map(\.residual).max()! / scale
    let reachable = end.resolution / scale
    let isAccurate = residual <= options.tolerance
    let unresolved = end.scale == 0 ? 0 : pairs.count { abs($0.value) <= end.resolution }
    let isFound = method != .lanczos || end.isFinished
    let reason: Convergence.Reason
    let advice: String
    let higher =
      Scalar.self == Float.self ? "use float64 or accept that accuracy" : "accept that accuracy"
    if pairs.count < options.count {
      reason = .budget
      advice =
        "\(products) products can show only \(pairs.count) of the \(options.count) eigenpairs "
        + "asked for: it takes more."
    } else if isFound && isAccurate && unresolved > 0 {
      reason = .stagnatedAtRounding
      advice =
        "\(unresolved) of the \(pairs.count) values found cannot be told from zero: products and "
        + "arithmetic in \(Scalar.precisionName) resolve \(Wording.short(reachable)) of the largest "
        + "|eigenvalue|, so that neither their sign nor a condition number is known."
    } else if isFound && isAccurate {
      reason = .converged
      let blurred =
        end.scale == 0 ? 0 : pairs.count { abs($0.value) <= options.tolerance * end.scale }
      advice =
        "Converged after \(products) products: residuals are at most \(Wording.short(residual)) of the "
        + "largest |eigenvalue|"
        + (blurred == 0
          ? "."
          : "; \(blurred) of the values are below the tolerance, and a smaller one would tell them "
            + "from zero.")
    } else if isFound && residual <= 2 * reachable {
      reason = .stagnatedAtRounding
      advice =
        "Rounding in \(Scalar.precisionName) limits residuals to "
        + "\(Wording.short(max(residual, reachable))) of the largest |eigenvalue|, above the tolerance \(Wording.short(options.tolerance)): \(higher)."
    } else if method == .lanczos || products + options.count + 7 > options.maxApplications {
      reason = .budget
      advice =
        "The search ended after \(products) products at residuals of \(Wording.short(residual)) of the "
        + "largest |eigenvalue|: it takes more products, or a larger tolerance."
    } else {
      reason = .stagnatedAtRounding
      advice =
        "Residuals stay at \(Wording.short(residual)) of the largest |eigenvalue| after \(products) "
        + "products: \(higher), or ask for a larger tolerance."
    }
    convergence = Convergence(reason: reason, operatorApplications: products, advice: advice)
  }
}
