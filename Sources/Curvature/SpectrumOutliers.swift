/// Eigenvalues that stand apart from the bulk of a spectrum.
///
/// A classifier of `K` classes has `K - 1` or `K` of them: its Gauss-Newton matrix is a covariance around
/// class means, of which the softmax leaves `K - 1` directions.
///
/// Reference: Sagun, Evci, Guney, Dauphin and Bottou, arXiv:1706.04454; Papyan, arXiv:1901.08244.
public struct SpectrumOutliers: Codable, Sendable, Equatable {
  public enum Rule: String, Codable, Sendable {
    /// Above the widest relative gap among the leading eigenvalues.
    case gap
    /// Above a given edge of the bulk.
    case bulkEdge
  }

  public let rule: Rule
  public let count: Int
  /// The smallest outlier over the largest eigenvalue of the bulk, `lambda_count / lambda_{count+1}`;
  /// nil without outliers, or where nothing of the bulk was given.
  public let separation: Double?
  /// Number of classes, if the problem has any.
  public let classes: Int?

  /// Whether the count is what `classes` makes one expect, `K - 1` or `K`; nil without classes.
  public var isAsExpected: Bool? { classes.map { count == $0 - 1 || count == $0 } }

  /// Counts by the widest gap: the `m` with the largest `lambda_m / lambda_{m+1}`, among the leading
  /// `limit` eigenvalues, if it is at least `minimumRatio`.
  ///
  /// - Parameters:
  ///   - eigenvalues: the largest ones, or all, in any order; at least one beyond `limit` is wanted.
  ///   - zeroThreshold: values up to it count as it, so that a gap towards rounding is finite.
  ///   - limit: outliers looked for; `2 K` with classes, else half of what was given. Small next to
  ///     the parameters: the bulk must be the bulk.
  public static func byGap(
    _ eigenvalues: [Double], classes: Int? = nil, zeroThreshold: Double = 0, limit: Int? = nil,
    minimumRatio: Double = 1.5
  ) -> SpectrumOutliers {
    let sorted = eigenvalues.sorted(by: >)
    let floor = max(zeroThreshold, .leastNormalMagnitude)
    let last = min(limit ?? classes.map { 2 * $0 } ?? (sorted.count + 1) / 2, sorted.count - 1)
    var (count, widest) = (0, minimumRatio)
    for m in stride(from: 1, through: last, by: 1) where sorted[m - 1] > floor {
      let ratio = sorted[m - 1] / max(sorted[m], floor)
      if ratio >= widest, ratio > widest || count == 0 { (count, widest) = (m, ratio) }
    }
    return SpectrumOutliers(
      rule: .gap, count: count, separation: count > 0 ? widest : nil, classes: classes)
  }

  /// Counts the eigenvalues above `edge`, for example `SpectralMass.edge`.
  public static func above(
    _ edge: Double, _ eigenvalues: [Double], classes: Int? = nil
  ) -> SpectrumOutliers {
    let outliers = eigenvalues.filter { $0 > edge }
    let bulk = eigenvalues.filter { $0 <= edge }.max()
    return SpectrumOutliers(
      rule: .bulkEdge, count: outliers.count,
      separation: outliers.min().flatMap { least in bulk.flatMap { $0 > 0 ? least / $0 : nil } },
      classes: classes)
  }
}

/// A spectrum as weighted nodes: all eigenvalues with equal weights, or an estimated density.
public struct SpectralMass: Codable, Sendable, Equatable {
  /// Ascending.
  public let nodes: [Double]
  /// Adding up to 1.
  public let weights: [Double]

  /// - Precondition: as many weights (not negative, not all zero) as nodes.
  public init(nodes: [Double], weights: [Double]) {
    let total = weights.reduce(0, +)
    precondition(
      nodes.count == weights.count && total > 0 && weights.allSatisfy { $0 >= 0 },
      "\(weights.count) weights that add up to \(total), for \(nodes.count) nodes")
    let order = nodes.indices.sorted { nodes[$0] < nodes[$1] }
    self.nodes = order.map { nodes[$0] }
    self.weights = order.map { weights[$0] / total }
  }

  public init(eigenvalues: [Double]) {
    self.init(nodes: eigenvalues, weights: eigenvalues.map { _ in 1 })
  }

  /// Share of the eigenvalues below `-threshold`.
  public func negativeShare(threshold: Double = 0) -> Double {
    zip(nodes, weights).reduce(0) { $1.0 < -threshold ? $0 + $1.1 : $0 }
  }

  /// `sum |lambda_-| / sum |lambda|`: the share of the curvature that is negative; 0 where there is none.
  public var negativeCurvatureShare: Double {
    let all = zip(nodes, weights).reduce(0) { $0 + abs($1.0) * $1.1 }
    let negative = zip(nodes, weights).reduce(0) { $1.0 < 0 ? $0 - $1.0 * $1.1 : $0 }
    return all > 0 ? negative / all : 0
  }

  /// The upper edge of the bulk: the smallest node with at most `share` of the eigenvalues above it.
  ///
  /// With `K` classes and `n` parameters, `share = 2 K / n` leaves room for twice the outliers expected;
  /// a smoothed density needs an edge beyond its own width.
  public func edge(share: Double) -> Double {
    precondition(share >= 0 && share < 1, "a share is from 0 up to 1")
    var above = 0.0
    for (node, weight) in zip(nodes, weights).reversed() {
      above += weight
      if above > share * (1 + 1e-12) { return node }
    }
    return nodes[0]
  }
}
