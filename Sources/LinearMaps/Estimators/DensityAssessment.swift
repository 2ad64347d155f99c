/// The average of some probes' measures, eigenvalues known exactly beside it, and how far from the
/// true density it can be.
struct DensityAssessment {
  private(set) var nodes: [Double] = []
  private(set) var weights: [Double] = []
  let support: ClosedRange<Double>
  /// Between the outermost Ritz values.
  let range: Double
  let steps: Int
  let probes: Int
  let deflated: Int
  /// What unfinished recursions hide, rounding and inexact deflation included.
  private(set) var stepBound: Double
  private(set) var samplingBound = 0.0
  private(set) var samplingMean = 0.0
  /// The part of `stepBound` that no further step takes away.
  private let floor: Double
  private let ceiling: Double
  /// The share of the step bound that the distance has as a rule.
  private let typicalShare: Double
  private let measures: [ProbeMeasure]
  private let known: [Double]
  private let residuals: Double
  private let dimension: Int
  private let failureProbability: Double

  /// `residuals` belong to the `deflated` eigenvalues, which the probes are orthogonal to.
  init(
    _ measures: [ProbeMeasure], deflated: [Double] = [], residuals: Double = 0, dimension n: Int,
    failureProbability: Double
  ) {
    self.measures = measures
    known = deflated
    self.residuals = residuals
    dimension = n
    self.failureProbability = failureProbability
    // The longest recursion knows the ends best; one choice for all spends one failure probability.
    let longest = measures.max { $0.steps < $1.steps }!
    let support = longest.support
    var sampling = DensitySamplingBound(
      dimension: n - deflated.count, probes: measures.count, failureProbability: failureProbability)
    let ends = longest.ritz.values + deflated
    range = ends.max()! - ends.min()!
    let share = Double(n - deflated.count) / Double(n)
    let mass = 1 / Double(measures.count)
    floor = 2 * residuals / Double(n) + measures.reduce(0) { $0 + $1.rounding } * mass
    stepBound = floor

    var jumps: [(position: Double, lowest: Double, middle: Double, highest: Double)] = []
    for measure in measures {
      let (lowest, highest) = measure.band(in: support)
      jumps += lowest.map { ($0.position, mass * $0.mass, 0, 0) }
      jumps += measure.atoms.map { ($0.position, 0, mass * $0.mass, 0) }
      jumps += highest.map { ($0.position, 0, 0, mass * $0.mass) }
    }
    jumps.append((support.lowerBound, 0, 0, 0))
    jumps.append((support.upperBound, 0, 0, 0))
    jumps.sort { $0.position < $1.position }
    var (lowest, middle, highest) = (0.0, 0.0, 0.0)
    for (jump, next) in zip(jumps, jumps.dropFirst()) {
      lowest += jump.lowest
      middle += jump.middle
      highest += jump.highest
      let width = share * (next.position - jump.position)
      stepBound += width * max(highest - middle, middle - lowest, 0)
      guard support.contains(jump.position) else { continue }
      sampling.advance(width, at: middle)
    }
    samplingBound = sampling.bound
    samplingMean = sampling.mean

    var atoms = deflated.map { (position: $0, mass: 1 / Double(n)) }
    atoms += measures.flatMap { measure in
      measure.atoms.map { (position: $0.position, mass: mass * share * $0.mass) }
    }
    atoms.sort { $0.position < $1.position }
    let total = atoms.reduce(0) { $0 + $1.mass }
    nodes = atoms.map { $0.position }
    weights = atoms.map { $0.mass / total }
    self.support =
      min(support.lowerBound, nodes[0])...max(support.upperBound, nodes[nodes.count - 1])
    steps = longest.steps
    probes = measures.count
    self.deflated = deflated.count
    // Measured on smooth and on clustered densities: 0.05 to 0.25.
    typicalShare = 0.15
    ceiling =
      deflated.isEmpty
      ? min(
        1,
        SpectralDensity.plannedError(
          steps: measures.map(\.steps).min()!, probes: probes,
          failureProbability: failureProbability, dimension: n)) : 1
  }

  /// A density made by other means, with the bound that its method gives.
  init(
    atoms: [ProbeMeasure.Atom], stepBound: Double, range: Double, rounding: Double, steps: Int,
    probes: Int, dimension n: Int, failureProbability: Double
  ) {
    var sampling = DensitySamplingBound(
      dimension: n, probes: probes, failureProbability: failureProbability)
    let total = atoms.reduce(0) { $0 + $1.mass }
    var sum = 0.0
    for (atom, next) in zip(atoms, atoms.dropFirst()) {
      sum += atom.mass / total
      sampling.advance(next.position - atom.position, at: sum)
    }
    samplingBound = sampling.bound
    samplingMean = sampling.mean
    measures = []
    known = []
    residuals = 0
    dimension = n
    self.failureProbability = failureProbability
    // A resolved spectrum is as far from its damped series as the kernel is wide.
    typicalShare = 0.5
    nodes = atoms.map { $0.position }
    weights = atoms.map { $0.mass / total }
    support = nodes[0]...nodes[nodes.count - 1]
    self.range = range
    floor = rounding
    ceiling = 1
    deflated = 0
    self.stepBound = stepBound + rounding
    self.steps = steps
    self.probes = probes
  }

  /// Never above what holds for any spectrum, nor above the support's length.
  var bound: Double { min(stepBound + samplingBound, ceiling * length + floor) }
  var estimate: Double { min(typicalShare * (stepBound - floor) + samplingMean, bound) }
  var length: Double { support.upperBound - support.lowerBound }

  /// What is known of the eigenvalues on both sides of `x`.
  ///
  /// - Parameter count: numbers that share the failure probability.
  func split(at x: Double, of count: Int) -> SpectralDensity.Split {
    guard !measures.isEmpty else {
      return SpectralDensity.Split(at: x, nodes: nodes, weights: weights, distance: bound)
    }
    return SpectralDensity.Split(
      at: x, measures: measures, support: support, deflated: known, residuals: residuals,
      dimension: dimension, failureProbability: failureProbability / Double(count))
  }

  /// What is compared with the error asked for: rounding is not held against the run.
  func meets(_ error: Double) -> Bool { bound - floor <= error * range }
}

extension SpectralDensity {
  init(
    _ assessment: DensityAssessment, _ method: Method, products: Int, reason: Convergence.Reason,
    _ options: Options
  ) {
    self.init(
      nodes: assessment.nodes, weights: assessment.weights, method: method,
      probes: assessment.probes, steps: assessment.steps, deflated: assessment.deflated,
      seed: options.seed, operatorApplications: products, lower: assessment.support.lowerBound,
      upper: assessment.support.upperBound, range: assessment.range,
      wassersteinBound: assessment.bound,
      stepBound: min(assessment.stepBound, assessment.bound),
      wassersteinEstimate: assessment.estimate, failureProbability: options.failureProbability,
      convergence: Self.convergence(
        reason, products, bound: assessment.bound, stepBound: assessment.stepBound,
        range: assessment.range, options),
      splits: options.splits.map { assessment.split(at: $0, of: options.splits.count) })
  }
}
