import Presentation

extension SpectralDensity {
  /// Estimates the density of `map`'s eigenvalues until `options.error` is met, or with the steps
  /// and probes that the options name.
  ///
  /// With an error asked for, the run ends when `wassersteinBound` meets it, when the products of
  /// `plan` are spent (which never needs to happen), or at `maxApplications`: then with the reason
  /// `budget` and the best bound reached. A map so small that sampling would cost more products than
  /// all its eigenvalues has them computed instead, and then `probes` is 0 and the bound rounding.
  ///
  /// Cost: `operatorApplications` products; memory of `steps` vectors, or three without a basis; the
  /// kernel polynomial holds three per probe.
  ///
  /// Throws `nonFiniteProduct`, and what the map throws.
  public init<Map: LinearMap>(of map: Map, options: Options = Options()) throws {
    precondition(options.error.map { $0 > 0 } ?? true, "the error must be positive")
    precondition(
      options.failureProbability > 0 && options.failureProbability < 1,
      "a failure probability lies between 0 and 1")
    precondition(options.maxApplications >= 1, "at least one product must be allowed")
    precondition(
      options.steps ?? 1 >= 1 && options.probes ?? 1 >= 1, "at least one step and one probe")
    switch options.method {
    case .lanczos:
      var run = LanczosQuadrature(map, options)
      self = try run.run()
    case .kernelPolynomial:
      var run = KernelPolynomial(map, options)
      self = try run.run()
    }
  }

  /// How the run ended, in a sentence.
  static func convergence(
    _ reason: Convergence.Reason, _ products: Int, bound: Double, stepBound: Double, range: Double,
    _ options: Options
  ) -> Convergence {
    let scale = range.asDivisor
    let advice: String
    switch reason {
    case .invariantSubspace:
      advice = "All eigenvalues were computed in \(products) products, exact up to rounding."
    case .converged where range == 0:
      advice = "All eigenvalues agree, up to rounding, after \(products) products."
    case .converged:
      advice =
        "The density is within \(Wording.short(bound / scale)) of the range in Wasserstein distance "
        + "after \(products) products."
    default:
      let remedy = stepBound > 0.5 * bound ? "steps" : "probes"
      let wanted =
        options.error.map { "not by \(Wording.short($0))" } ?? "with fewer than asked for"
      advice =
        "\(products) products bound the Wasserstein distance by \(Wording.short(bound / scale)) of the "
        + "range, \(wanted): it takes more products, for \(remedy) above all."
    }
    return Convergence(reason: reason, operatorApplications: products, advice: advice)
  }
}
