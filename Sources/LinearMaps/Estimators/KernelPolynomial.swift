import Foundation

/// The kernel polynomial method: Chebyshev moments `v' T_j(A~) v` of some probes at once, damped by
/// Jackson's kernel.
///
/// A few Lanczos steps give an interval for the spectrum, onto which `A~` maps `[-1, 1]`, and the
/// number of probes. `k` products give the moments up to `2k`, by `T_{2j} = 2 T_j² - 1` and its
/// neighbour. The damped series is positive, and its values at `2N` Chebyshev nodes are the
/// weights. The kernel spreads a point x over nodes of mean square distance
/// `x² (1 - 2 g_1 + g_2) + (1 - g_2)/2`, so that the Wasserstein distance to the probe's measure is
/// at most the root of the mean of that, about `pi/N sqrt(1 - m_2)` of the half-width: a theorem.
///
/// Reference: Weisse et al. (2006), sections II.C and II.D.
struct KernelPolynomial<Map: LinearMap> {
  let map: Map
  let options: SpectralDensity.Options
  private var spent = 0

  init(_ map: Map, _ options: SpectralDensity.Options) {
    self.map = map
    self.options = options
  }

  private struct State {
    var center: Double
    var halfWidth: Double
    var range: Double
    var probes: Int
    var moments: [Double]
    var rounding: Double
  }

  mutating func run() throws -> SpectralDensity {
    let n = map.dimension
    var generator = SeededGenerator(seed: options.seed)
    let pilot = try ThreeTermLanczos<Map.Scalar>(start: generator.unitSphere(n))
    let pilotSteps = max(1, min(n, 12, options.maxApplications / 4))
    while pilot.alphas.count < pilotSteps && !pilot.isInvariant {
      try pilot.extend(by: map)
      spent += 1
    }
    let delta = ProbabilisticBound.delta(
      dimension: n, failureProbability: 0.025 * options.failureProbability)
    let measure = try ProbeMeasure(pilot, delta: delta)
    let first = DensityAssessment(
      [measure], dimension: n, failureProbability: 0.95 * options.failureProbability)
    let halfWidth = 0.5 * first.length
    // Without a width every eigenvalue is the same, and without a product left the pilot is all.
    guard halfWidth > 0, spent < options.maxApplications else {
      return result(first, isMet: options.error.map { first.meets($0) } ?? (halfWidth == 0))
    }
    var state = State(
      center: 0.5 * (first.support.lowerBound + first.support.upperBound),
      // The margin keeps rounding of the recurrence inside of the interval.
      halfWidth: halfWidth * 1.005, range: first.range, probes: probeCount(first), moments: [],
      rounding: measure.rounding)
    return try expand(&state, &generator)
  }

  /// As many probes as meet two thirds of the error by sampling, within what steps need.
  private func probeCount(_ first: DensityAssessment) -> Int {
    let left = options.maxApplications - spent
    guard let error = options.error else { return min(options.probes ?? 4, left) }
    let ratio = first.samplingBound / (error * first.range * 2 / 3).asDivisor
    let wanted = Int(min((ratio * ratio).rounded(.up), 1e9))
    return max(1, min(wanted, options.probes ?? Int.max, max(1, left / 16)))
  }

  private mutating func expand(
    _ state: inout State, _ generator: inout SeededGenerator
  ) throws -> SpectralDensity {
    let n = map.dimension
    let m = state.probes
    var previous: [Map.Scalar] = []
    for _ in 0..<m { previous += generator.unitSphere(n, as: Map.Scalar.self) }
    var current = previous
    var next = [Map.Scalar](repeating: 0, count: n * m)
    let norm = dot(previous, previous, m)
    state.moments = [1]
    let stepLimit = options.steps ?? (options.error == nil ? 32 : Int.max)
    var nextCheck = 4
    for k in 1... {
      try product(current, into: &next, m)
      let scale = Map.Scalar((k == 1 ? 1 : 2) / state.halfWidth)
      for i in 0..<n * m {
        let shifted = next[i] - Map.Scalar(state.center) * current[i]
        next[i] = scale * shifted - (k == 1 ? 0 : previous[i])
      }
      swap(&previous, &current)
      swap(&current, &next)
      let odd = dot(current, previous, m) / norm
      let even = dot(current, current, m) / norm
      state.moments.append(k == 1 ? odd : 2 * odd - state.moments[1])
      state.moments.append(2 * even - 1)
      let isLast = k >= stepLimit || spent + m > options.maxApplications
      guard isLast || (options.error != nil && k >= nextCheck) else { continue }
      nextCheck = k + max(1, k / 4)
      let assessment = assess(state)
      options.onProgress?(
        SpectralDensity.Progress(
          operatorApplications: spent, probes: m, wassersteinBound: assessment.bound,
          target: options.error.map { $0 * assessment.range }))
      let isMet = options.error.map { assessment.meets($0) } ?? (k >= stepLimit)
      if isLast || isMet { return result(assessment, isMet: isMet) }
    }
    preconditionFailure("an expansion ends within its products")
  }

  private mutating func product(
    _ x: [Map.Scalar], into y: inout [Map.Scalar], _ columns: Int
  ) throws {
    try y.withUnsafeMutableBufferPointer {
      try map.apply(columns: columns, x, into: $0.baseAddress!)
    }
    if let index = Map.Scalar.firstNonFinite(y.count, y) {
      throw LinearMapError.nonFiniteProduct(
        application: spent + index / map.dimension + 1, index: index % map.dimension)
    }
    spent += columns
  }

  /// The mean inner product of the columns.
  private func dot(_ x: [Map.Scalar], _ y: [Map.Scalar], _ columns: Int) -> Double {
    Map.Scalar.dot(x.count, x, y) / Double(columns)
  }

  private func assess(_ state: State) -> DensityAssessment {
    let count = state.moments.count
    let angle = Double.pi / Double(count + 1)
    let kernel = (0..<count).map { k in
      (Double(count - k + 1) * cos(angle * Double(k)) + sin(angle * Double(k)) / tan(angle))
        / Double(count + 1)
    }
    let points = 2 * count
    var atoms: [ProbeMeasure.Atom] = []
    for j in (0..<points).reversed() {
      let theta = Double.pi * (Double(j) + 0.5) / Double(points)
      var sum = 1.0
      // The recurrence of cosines, which is stable inside of the interval.
      var (before, cosine) = (1.0, cos(theta))
      for k in 1..<count {
        sum += 2 * kernel[k] * state.moments[k] * cosine
        (before, cosine) = (cosine, 2 * cos(theta) * cosine - before)
      }
      atoms.append(
        (state.center + state.halfWidth * cos(theta), max(sum, 0) / Double(points)))
    }
    let second = 0.5 * (1 + state.moments[2])
    let spread = second * (1 - 2 * kernel[1] + kernel[2]) + 0.5 * (1 - kernel[2])
    return DensityAssessment(
      atoms: atoms, stepBound: state.halfWidth * max(spread, 0).squareRoot(),
      range: state.range, rounding: state.rounding, steps: (count - 1) / 2, probes: state.probes,
      dimension: map.dimension, failureProbability: 0.95 * options.failureProbability)
  }

  private func result(_ assessment: DensityAssessment, isMet: Bool) -> SpectralDensity {
    SpectralDensity(
      assessment, .kernelPolynomial, products: spent, reason: isMet ? .converged : .budget, options)
  }
}
