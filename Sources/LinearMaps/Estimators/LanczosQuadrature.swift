/// Stochastic Lanczos quadrature that adds steps and probes until the bound meets the error.
///
/// A probe takes steps until its share of the error is met: all of it while one probe suffices, a
/// third where the sampling error needs several, which is the split of least products when one part
/// falls as `1/steps` and the other as `1/sqrt(probes)`. After the first probe the cheapest of three
/// ways is taken: complete its basis (all eigenvalues, no error), deflate its outliers, or neither.
struct LanczosQuadrature<Map: LinearMap> {
  let map: Map
  let options: SpectralDensity.Options
  private let dimension: Int
  private let limit: Int
  private let stepLimit: Int
  private let probeLimit: Int
  private let storesBasis: Bool
  private var generator: SeededGenerator
  private var spent = 0
  private var best: DensityAssessment?

  init(_ map: Map, _ options: SpectralDensity.Options) {
    self.map = map
    self.options = options
    let n = map.dimension
    dimension = n
    let plan = options.error.map {
      SpectralDensity.plan(
        error: $0, failureProbability: options.failureProbability, dimension: n)
    }
    stepLimit = min(options.steps ?? plan?.steps ?? 32, n)
    probeLimit = options.probes ?? (plan == nil ? 4 : Int.max)
    limit = min(options.maxApplications, plan.map { $0.steps * $0.probes } ?? Int.max)
    let longest = min(stepLimit, options.maxApplications) + 1
    let bytes = longest.multipliedReportingOverflow(by: n * MemoryLayout<Map.Scalar>.stride)
    storesBasis =
      options.basis == .stored
      || (options.basis == .automatic && !bytes.overflow
        && bytes.partialValue <= options.basisMemory)
    generator = SeededGenerator(seed: options.seed)
  }

  mutating func run() throws -> SpectralDensity {
    let start = generator.unitSphere(dimension, as: Map.Scalar.self)
    guard storesBasis else {
      let process = try ThreeTermLanczos(start: start)
      let first = try measure(process, by: map, earlier: [])
      return try sample(after: [first])
    }
    let process = try LanczosFactorization(start: start)
    let first = try measure(process, by: map, earlier: [])
    if process.isComplete { return try complete(process) }
    if isFinished(probes: 1) { return try sample(after: [first]) }
    let deflation = worthwhileDeflation(after: first)
    if needsAllEigenvalues(after: first, gain: deflation?.gain ?? 1) {
      return try complete(process)
    }
    if let deflation {
      let deflated = try deflate(by: deflation, process)
      let values = first.ritz.values
      let known =
        Array(values.prefix(deflation.lowest)) + Array(values.suffix(deflation.highest))
      return try sample(
        after: [], by: deflated, deflated: known, residuals: deflation.residuals)
    }
    return try sample(after: [first])
  }

  private func assess(
    _ measures: [ProbeMeasure], _ deflated: [Double] = [], _ residuals: Double = 0
  ) -> DensityAssessment {
    DensityAssessment(
      measures, deflated: deflated, residuals: residuals, dimension: dimension,
      failureProbability: 0.95 * options.failureProbability)
  }

  private mutating func keep(_ assessment: DensityAssessment) {
    if assessment.bound < best?.bound ?? .infinity { best = assessment }
    options.onProgress?(
      SpectralDensity.Progress(
        operatorApplications: spent, probes: best!.probes, wassersteinBound: best!.bound,
        target: options.error.map { $0 * best!.range }))
  }

  private func isFinished(probes: Int) -> Bool {
    if spent >= limit || probes >= probeLimit { return true }
    guard let error = options.error, let best else { return false }
    return best.meets(error)
  }

  /// Runs one process until its part is small enough.
  private mutating func measure<Product: LinearMap<Map.Scalar>>(
    _ process: some TridiagonalProcess<Map.Scalar>, by map: Product, earlier: [ProbeMeasure],
    deflated: [Double] = [], residuals: Double = 0
  ) throws -> ProbeMeasure {
    let delta = ProbabilisticBound.delta(
      dimension: dimension - deflated.count,
      failureProbability: 0.025 * options.failureProbability)
    var nextCheck = 3
    while true {
      let before = spent - process.alphas.count
      do {
        try process.extend(by: map)
      } catch LinearMapError.nonFiniteProduct(let application, let index) {
        throw LinearMapError.nonFiniteProduct(application: before + application, index: index)
      }
      spent += 1
      let k = process.alphas.count
      let isLast = process.isInvariant || k >= stepLimit || spent >= limit
      guard isLast || (options.error != nil && k >= nextCheck) else { continue }
      nextCheck = k + max(1, k / 6)
      let measure = try ProbeMeasure(process, delta: delta)
      let alone = assess([measure], deflated, residuals)
      keep(earlier.isEmpty ? alone : assess(earlier + [measure], deflated, residuals))
      if isLast || isFinished(probes: 1) { return measure }
      let target = options.error! * max(alone.range, best!.range)
      let isSampled = alone.samplingBound > target * 2 / 3
      if isSampled && probeLimit > 1 && alone.stepBound <= target / 3 { return measure }
    }
  }

  /// Adds probes to those given until the bound is met.
  private mutating func sample(after measures: [ProbeMeasure]) throws -> SpectralDensity {
    try sample(
      after: measures,
      by: DeflatedMap(base: map, columns: OrthonormalColumns(dimension: dimension)), deflated: [],
      residuals: 0)
  }

  private mutating func sample(
    after measures: [ProbeMeasure], by product: DeflatedMap<Map>, deflated: [Double],
    residuals: Double
  ) throws -> SpectralDensity {
    var measures = measures
    while !isFinished(probes: measures.count + (deflated.isEmpty ? 0 : 1)) {
      var start = generator.unitSphere(dimension, as: Map.Scalar.self)
      start.withUnsafeMutableBufferPointer { product.project($0.baseAddress!) }
      let process: any TridiagonalProcess<Map.Scalar> =
        storesBasis ? try LanczosFactorization(start: start) : try ThreeTermLanczos(start: start)
      measures.append(
        try measure(
          process, by: product, earlier: measures, deflated: deflated, residuals: residuals))
    }
    return result(best!)
  }

  /// The sampling error falls as `1/sqrt(probes)`, and at once to `gain` of itself by deflation:
  /// whether probes take more products than the rest of the basis.
  private func needsAllEigenvalues(after first: ProbeMeasure, gain: Double) -> Bool {
    let missing = dimension - first.steps
    // Beyond this the orthogonalisation costs more than products can save.
    guard let error = options.error, let best, options.steps == nil, options.probes == nil,
      dimension <= 1024, spent + missing <= min(limit, options.maxApplications)
    else { return false }
    let ratio = gain * best.samplingBound / (error * best.range * 2 / 3).asDivisor
    return Double(first.steps) * (ratio * ratio - 1) >= Double(missing)
  }

  private mutating func complete(
    _ process: LanczosFactorization<Map.Scalar>
  ) throws -> SpectralDensity {
    while !process.isComplete {
      if process.isInvariant { process.restart(using: &generator) }
      try process.extend(by: map)
      spent += 1
    }
    let values = try process.ritzSystem(vectors: .none).values
    let rounding = process.rounding
    return SpectralDensity(
      nodes: values, weights: values.map { _ in 1 / Double(values.count) }, method: .lanczos,
      probes: 0, steps: process.count, deflated: 0, seed: options.seed, operatorApplications: spent,
      lower: values[0] - rounding, upper: values[values.count - 1] + rounding,
      range: values[values.count - 1] - values[0],
      wassersteinBound: rounding, stepBound: rounding, wassersteinEstimate: rounding,
      failureProbability: options.failureProbability,
      convergence: SpectralDensity.convergence(
        .invariantSubspace, spent, bound: rounding, stepBound: rounding,
        range: values[values.count - 1] - values[0], options),
      splits: options.splits.map { .init(at: $0, eigenvalues: values, rounding: rounding) })
  }

  private func worthwhileDeflation(after first: ProbeMeasure) -> OutlierDeflation? {
    guard options.deflatesOutliers, let best, first.steps >= 4 else { return nil }
    let tolerance = 0.02 * (options.error.map { $0 * best.range } ?? best.samplingMean)
    let deflation = OutlierDeflation(first, dimension: dimension, tolerance: tolerance)
    // The first probe is lost to the average: with few probes allowed that must pay as well.
    let probes = Double(min(options.probes ?? (options.error == nil ? 4 : 64), 64))
    let loss = probes > 1 ? (probes / (probes - 1)).squareRoot() : .infinity
    return deflation.count > 0 && deflation.gain * loss < 0.8 ? deflation : nil
  }

  private func deflate(
    by deflation: OutlierDeflation, _ process: LanczosFactorization<Map.Scalar>
  ) throws -> DeflatedMap<Map> {
    let k = process.count
    let ritz = try process.ritzSystem(vectors: .all)
    var basis: [Map.Scalar] = []
    for index in Array(0..<deflation.lowest) + Array(k - deflation.highest..<k) {
      basis += process.combination(
        Array(ritz.vectors[index * k..<(index + 1) * k]), normalized: true)
    }
    return DeflatedMap(
      base: map, columns: OrthonormalColumns(orthonormal: basis, dimension: dimension))
  }
}

extension LanczosQuadrature {
  private func result(_ assessment: DensityAssessment) -> SpectralDensity {
    let probes = assessment.probes + (assessment.deflated > 0 ? 1 : 0)
    let isWhole = spent < limit || (probes >= probeLimit && assessment.steps >= stepLimit)
    let isMet = options.error.map { assessment.meets($0) } ?? isWhole
    return SpectralDensity(
      assessment, .lanczos, products: spent, reason: isMet ? .converged : .budget, options)
  }
}
