import Curvature
import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let ratesPerLayer = Self("rates-per-layer", effort: 2)
}

/// Each layer of a network at a rate of its own, `c 2 / lambda_max` of its own block of the Hessian, with the
/// given optimizer where its limit is that of the Hessian, else with plain descent.
///
/// Blocks say nothing of what two layers do together: `c` comes from the whole matrix, of which the sharpness
/// after scaling rows and columns by the roots of the rates has to stay 5 % below the limit.
/// Reference: Singh et al., "Layer-specific adaptive learning rates", arXiv:1510.04609, for rates per layer;
/// their bound is the preconditioned sharpness of Cohen et al., arXiv:2207.14484.
struct RatesPerLayer: Remedy {
  let kind = Prescription.Kind.ratesPerLayer

  private static let margin = 0.95
  /// Layers that hardly curve get no more than so many times the smallest rate.
  private static let mostSpread = 100.0

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    let parameters = start.objective.parameters
    guard measured.layers.count >= 2,
      let sharpest = measured.layers.map(\.sharpness).max(), sharpest > 0,
      start.budget.affords("the rates per layer", products: 30, share: 0.1)
    else { return nil }
    let floor = sharpest / Self.mostSpread
    let curvatures = measured.layers.map { max($0.sharpness, floor) }
    guard let flattest = curvatures.min(), sharpest > 1.01 * flattest else { return nil }
    let own = Dictionary(
      zip(measured.layers, curvatures).flatMap { layer, curvature in
        // As a person would give them, and as they are printed.
        layer.parameters.map { ($0, Self.rounded(flattest / curvature)) }
      }, uniquingKeysWith: { first, _ in first })
    let factors = parameters.map { own[$0.name] ?? Self.rounded(flattest / sharpest) }
    let flat = zip(parameters, factors).flatMap { [Double](repeating: $1, count: $0.shape.count) }
    guard let bound = try bound(measured, flat) else { return nil }
    let (optimizer, rule) = measured.descent
    let rate = Self.margin * rule.criticalProduct / bound * (measured.userBatches?.share ?? 1)
    var form = TrialForm()
    form.rules.rateFactors = factors.map { .scalar($0) }
    let shown = measured.layers.map { layer in
      // A number alone would read as a rate.
      (
        layer.layer.allSatisfy(\.isNumber) ? "layer \(layer.layer)" : layer.layer,
        own[layer.parameters.first ?? ""] ?? 1
      )
    }
    @Sendable func phrase(_ rate: Double) -> String {
      "\(optimizer.phrase) at a rate for each layer by its own sharpness: "
        + Wording.list(shown.map { "\($0) \(Wording.number(rate * $1))" }, limit: 6)
    }
    return Plan(
      kind, phrase(rate), .init(rate: rate), note: "no theory foretells its steps", slower: phrase
    ) { [form] bench in
      try bench.run(start.objective, optimizer, rate: rate, from: start.point, form: form)
    }
  }

  private static func rounded(_ factor: Double) -> Double {
    Double(Wording.number(factor).replacing(",", with: "")) ?? factor
  }

  /// An upper bound on the sharpness after scaling; nil where it cannot be measured or does not curve upwards.
  private func bound<Scalar>(_ measured: Measurements<Scalar>, _ inverse: [Double]) throws
    -> Double?
  {
    try measured.start.ifMeasurable {
      var options = TopEigenpairs<Scalar>.Options()
      options.seed = measured.start.request.resources.probeSeed
      options.tolerance = 1e-3
      options.maxApplications = 60
      let top = try TopEigenpairs<Scalar>(
        of: PreconditionedMap(measured.map, by: DiagonalPreconditioner(inverse: inverse)),
        options: options)
      let value = top.upperBound ?? top.largest[0].value + top.largest[0].residual
      return value > 0 && value.isFinite ? value : nil
    }
  }
}
