import Foundation
import LinearMaps

extension SamplingError {
  /// How the outermost eigenvalue's error is measured.
  public enum EigenvalueMethod: String, Codable, Sendable, CaseIterable {
    /// The eigenvector is found once; the groups' Rayleigh quotients along it (one product over all
    /// samples) give the spread. Blind to the bias: an eigenvector fitted to the sample sees more
    /// curvature in it than in any other. For a bound from below only, or where groups are large.
    case spread
    /// The eigenpair is found anew without each group, starting from the one of all samples, and its
    /// vector tried on the group that was left out.
    case bracket
  }

  /// The sampling error of the largest or the smallest eigenvalue of `H`, the mean of the groups' maps.
  ///
  /// On average a sample's largest eigenvalue lies above that of the expected matrix (it is a maximum over
  /// directions of a mean), the further the fewer the samples. A vector that was found without a group
  /// has no such luck on it: `E u_(j)' H_j u_(j) <= lambda_max(E H) <= E lambda_max(H)`. So `bracket`
  /// gives
  ///
  ///     lower = mean_j u_(j)' H_j u_(j) - t error (1 + G/(G-1))^(1/2)
  ///     upper = lambda_max(H) exp(t error_J / lambda_max(H))
  ///
  /// which covers `lambda_max(E H)` and with it the expected value on every larger sample, also where
  /// eigenvalues crowd and the jackknife's own correction fails; it is wide where the sample is too small
  /// to say. Mirrored for the smallest. `corrected` and `standardError` are the jackknife's. The outer end
  /// is taken on the logarithm (linearly where the eigenvalue is not positive), since curvatures of
  /// samples are skewed: their mean is more often too low than too high.
  ///
  /// That trusts the samples to show their spread. With `parts` the outer end also moves out by what
  /// `HeavyTail` says of the samples' curvatures along the eigenvector: on squares of Student's t with 3
  /// degrees of freedom Student's interval covers 70 %, this one 95 % (docs/sampling-error.md).
  ///
  /// Reference: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003),
  /// for the factor of the inner end, without which it missed 9 % where eigenvalues crowd.
  ///
  /// - Parameters:
  ///   - options: of the solution on all samples; the others start from it.
  ///   - parts: Rayleigh quotients of a direction with the means over small groups of the samples, and the
  ///     sizes of those groups, at the cost of one product over all samples; nil for an interval that
  ///     holds for light tails only.
  /// - Throws: what the maps and `TopEigenpairs` throw.
  public static func eigenvalue<Map: LinearMap>(
    _ end: TopEigenpairs<Map.Scalar>.End = .largest, of groups: [Map], sizes: [Int],
    method: EigenvalueMethod = .bracket, confidence: Double = 0.95,
    options: TopEigenpairs<Map.Scalar>.Options = .init(),
    parts: (([Map.Scalar]) throws -> (values: [Double], sizes: [Int]))? = nil
  ) throws -> SamplingError {
    precondition(end != .both, "one end at a time")
    precondition(groups.count >= 2 && groups.count == sizes.count, "2 groups with their sizes")
    var options = options
    (options.end, options.count) = (end, 1)
    var applications = 0
    func solve(_ map: WeightedSumMap<Map>, _ options: TopEigenpairs<Map.Scalar>.Options) throws
      -> Eigenpair<Map.Scalar>
    {
      let found = try TopEigenpairs<Map.Scalar>(of: map, options: options)
      applications += found.convergence.operatorApplications * map.weights.count { $0 != 0 }
      return end == .largest ? found.largest[0] : found.smallest[0]
    }
    func quotient(_ map: Map, _ u: [Map.Scalar]) throws -> Double {
      applications += 1
      return try Map.Scalar.dot(u.count, u, map(u)) / Map.Scalar.dot(u.count, u, u)
    }
    let whole = try solve(mean(groups, sizes, without: nil), options)
    if method == .spread {
      let quotients = try groups.map { try quotient($0, whole.vector) }
      return mean(
        of: quotients, sizes: sizes, confidence: confidence, groupApplications: applications)
    }
    options.start = whole.vector
    options.boundTolerance = nil
    var without: [Double] = []
    var heldOut: [Double] = []
    for index in groups.indices {
      let pair = try solve(mean(groups, sizes, without: index), options)
      without.append(pair.value)
      heldOut.append(try quotient(groups[index], pair.vector))
    }
    let jackknife = Jackknife(value: whole.value, without: without, sizes: sizes)
    let tried = mean(of: heldOut, sizes: sizes, confidence: confidence)
    let t = studentQuantile((1 + confidence) / 2, freedom: groups.count - 1)
    // Outwards is up, for both ends.
    let sign: Double = end == .largest ? 1 : -1
    let tail = try parts.map { parts in
      let (values, sizes) = try parts(whole.vector)
      applications += groups.count
      return HeavyTail(values.map { sign * $0 }, sizes: sizes)
    }
    // The vectors share most of their samples, so that the quotients vary together.
    let (count, shared) = (Double(groups.count), Double(groups.count - 1))
    let inner = t * tried.standardError * (1 + count / shared).squareRoot()
    let outer = reach(from: sign * whole.value, spread: t * jackknife.error) + (tail?.unseen ?? 0)
    return SamplingError(
      value: whole.value, corrected: jackknife.corrected, standardError: jackknife.error,
      lower: end == .largest ? tried.value - inner : whole.value - outer,
      upper: end == .largest ? whole.value + outer : tried.value + inner,
      confidence: confidence, groups: groups.count, groupApplications: applications,
      samples: sizes.reduce(0, +), tail: tail)
  }

  /// How far above `value` an end at `value exp(spread / value)` lies; linear where the value is not
  /// positive, and beyond `spread = value`.
  private static func reach(from value: Double, spread: Double) -> Double {
    guard value > 0 else { return spread }
    return spread <= value ? value * (exp(spread / value) - 1) : value * (M_E - 2) + spread
  }

  /// The sampling error of an eigenvalue of an objective's curvature matrix, its tail looked at.
  ///
  /// - Throws: what the maps and `TopEigenpairs` throw.
  public static func eigenvalue<Scalar: LinearMapScalar>(
    _ end: TopEigenpairs<Scalar>.End = .largest, of groups: SampleGroups<Scalar>,
    confidence: Double = 0.95, options: TopEigenpairs<Scalar>.Options = .init()
  ) throws -> SamplingError {
    try eigenvalue(
      end, of: groups.maps, sizes: groups.sizes, confidence: confidence, options: options,
      parts: groups.curvatures)
  }
}

/// The samples of an objective in disjoint random groups, with a curvature matrix of each.
public struct SampleGroups<Scalar: LinearMapScalar> {
  /// The loss over the shuffled samples; it counts the operations of the maps.
  public let objective: Objective<Scalar>
  public let maps: [CurvatureMap<Scalar>]
  /// Samples in each group.
  public let sizes: [Int]
  private let kind: CurvatureKind
  private let point: [Scalar]
  private let parameters: [Int]?
  private let seed: UInt64

  init(
    _ objective: Objective<Scalar>, _ kind: CurvatureKind, at point: [Scalar], parameters: [Int]?,
    size: Int, seed: UInt64
  ) throws {
    self.objective = objective
    self.kind = kind
    self.point = point
    self.parameters = parameters
    self.seed = seed
    let sampleCount = objective.sampleCount
    // A group too large for one run takes several micro-batches.
    let perGroup = (size + objective.batchSize - 1) / objective.batchSize
    let ranges = stride(from: 0, to: objective.batchCount, by: perGroup).map {
      $0..<min($0 + perGroup, objective.batchCount)
    }
    maps = try ranges.map {
      try objective.curvature(
        kind, at: point, parameters: parameters, batches: $0, seed: seed)
    }
    sizes = ranges.map { range in
      min(range.upperBound * objective.batchSize, sampleCount)
        - range.lowerBound * objective.batchSize
    }
  }

  /// The samples one by one up to this many, else so many small groups.
  static var partCount: Int { 200 }

  /// `u' H_p u / u'u` of small groups `p` of the samples, and how many each has.
  ///
  /// Cost: one product over all samples and its linearisation, in that many runs.
  /// - Throws: as `Objective.curvature`.
  public func curvatures(along u: [Scalar]) throws -> (values: [Double], sizes: [Int]) {
    let count = objective.sampleCount
    let size = (count + Self.partCount - 1) / Self.partCount
    let fine = try Objective<Scalar>(
      objective.definition, data: objective.data, executor: objective.executor,
      memoryBudget: objective.memoryBudget, maxBatchSize: size, context: objective.context,
      reduction: objective.reduction)
    let squared = Scalar.dot(u.count, u, u)
    var values: [Double] = []
    var sizes: [Int] = []
    for batch in 0..<fine.batchCount {
      let map = try fine.curvature(
        kind, at: point, parameters: parameters, batches: batch..<batch + 1, seed: seed)
      values.append(Scalar.dot(u.count, u, try map(u)) / squared)
      sizes.append(min(fine.batchSize, count - batch * fine.batchSize))
    }
    objective.count(fine.operations)
    return (values, sizes)
  }
}

extension Objective {
  /// Cuts the samples, shuffled by `seed`, into at most `count` groups of equal size (the last may be
  /// smaller) for `SamplingError`.
  ///
  /// - Throws: as `curvature`.
  public func sampleGroups(
    _ kind: CurvatureKind, at point: [Scalar], count: Int = 10, parameters: [Int]? = nil,
    seed: UInt64 = 0
  ) throws -> SampleGroups<Scalar> {
    precondition(count >= 2 && count <= sampleCount, "\(count) groups of \(sampleCount) samples")
    var generator = SeededGenerator(seed: seed)
    let order = (0..<sampleCount).shuffled(using: &generator)
    let size = (sampleCount + count - 1) / count
    let shuffled = try Objective<Scalar>(
      definition, data: data.map { $0.samples(at: order) }, executor: executor,
      memoryBudget: memoryBudget, maxBatchSize: size, context: context, reduction: reduction)
    return try SampleGroups<Scalar>(
      shuffled, kind, at: point, parameters: parameters, size: size, seed: seed)
  }
}
