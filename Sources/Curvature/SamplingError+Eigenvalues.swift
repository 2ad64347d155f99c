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
  ///     lower = mean_j u_(j)' H_j u_(j) - t error,   upper = lambda_max(H) + t error_J,
  ///
  /// which covers `lambda_max(E H)` and with it the expected value on every larger sample, also where
  /// eigenvalues crowd and the jackknife's own correction fails; it is wide where the sample is too small
  /// to say. Mirrored for the smallest. `corrected` and `standardError` are the jackknife's.
  ///
  /// - Parameter options: of the solution on all samples; the others start from it.
  /// - Throws: what the maps and `TopEigenpairs` throw.
  public static func eigenvalue<Map: LinearMap>(
    _ end: TopEigenpairs<Map.Scalar>.End = .largest, of groups: [Map], sizes: [Int],
    method: EigenvalueMethod = .bracket, confidence: Double = 0.95,
    options: TopEigenpairs<Map.Scalar>.Options = .init()
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
    let (inner, outer) = (t * tried.standardError, t * jackknife.error)
    return SamplingError(
      value: whole.value, corrected: jackknife.corrected, standardError: jackknife.error,
      lower: end == .largest ? tried.value - inner : whole.value - outer,
      upper: end == .largest ? whole.value + outer : tried.value + inner,
      confidence: confidence, groups: groups.count, groupApplications: applications,
      samples: sizes.reduce(0, +))
  }
}

/// The samples of an objective in disjoint random groups, with a curvature matrix of each.
public struct SampleGroups<Scalar: LinearMapScalar> {
  /// The loss over the shuffled samples; it counts the operations of the maps.
  public let objective: Objective<Scalar>
  public let maps: [CurvatureMap<Scalar>]
  /// Samples in each group.
  public let sizes: [Int]
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
    let shuffled = try Objective(
      definition, data: data.map { $0.samples(at: order) }, executor: executor,
      memoryBudget: memoryBudget, maxBatchSize: size)
    shuffled.isCancelled = isCancelled
    // A group too large for one run takes several micro-batches.
    let perGroup = (size + shuffled.batchSize - 1) / shuffled.batchSize
    let ranges = stride(from: 0, to: shuffled.batchCount, by: perGroup).map {
      $0..<min($0 + perGroup, shuffled.batchCount)
    }
    return SampleGroups(
      objective: shuffled,
      maps: try ranges.map {
        try CurvatureMap(
          shuffled, kind, at: point, parameters: parameters, batches: $0, seed: seed)
      },
      sizes: ranges.map { range in
        min(range.upperBound * shuffled.batchSize, sampleCount)
          - range.lowerBound * shuffled.batchSize
      })
  }
}
