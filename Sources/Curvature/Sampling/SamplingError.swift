import Foundation
import LinearMaps
import Presentation

/// How far a number measured on a sample may be from what a larger sample would give, by the delete-one-
/// group jackknife over `G` disjoint random groups of `m_j` of the `n` samples, `h_j = n / m_j`:
///
///     corrected = G theta - sum_j (1 - m_j / n) theta_(j)
///     error^2   = (1/G) sum_j (tau_j - corrected)^2 / (h_j - 1),   tau_j = h_j theta - (h_j - 1) theta_(j)
///
/// with `theta_(j)` the value without group `j`. The interval is `center -+ t error` at Student's quantile
/// of `G - 1` degrees of freedom. It takes the samples to be independent draws.
///
/// Reference: Busing, Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and
/// Computing 9 (1999).
public struct SamplingError: Codable, Sendable, Equatable {
  /// The value on all samples.
  public let value: Double
  /// `value` without the jackknife's estimate of its bias.
  public let corrected: Double
  public let standardError: Double
  /// Ends of the interval; what it covers is said where it is made.
  public let lower: Double
  public let upper: Double
  /// Nominal coverage.
  public let confidence: Double
  public let groups: Int
  /// Products with one group's map; `groups` of them cost one product over all samples.
  public let groupApplications: Int
  /// Why the sample is too small to say, with the next step; nil where it is not.
  public let warning: String?
  /// Hill's index of the tail of the samples' curvatures along the eigenvector: moments from this order
  /// on are infinite. Nil where the tail was not looked at, or has none.
  public let tailIndex: Double?
  /// By how much the interval's outer end lies further out for samples sharper than any that was seen;
  /// nil where the tail was not looked at.
  public let unseen: Double?

  /// `value - corrected`.
  public var bias: Double { value - corrected }

  /// The error of a value from its values without each group.
  ///
  /// The interval is centred on `corrected` and covers the limit of ever more samples where the bias
  /// falls as `1/n`; where it falls more slowly (eigenvalues not separated from their neighbours by more
  /// than the noise) it does not.
  /// - Precondition: at least 2 groups, one value and size each.
  public static func jackknife(
    value: Double, without: [Double], sizes: [Int], confidence: Double = 0.95,
    groupApplications: Int = 0
  ) -> SamplingError {
    let spread = Jackknife(value: value, without: without, sizes: sizes)
    let reach = studentQuantile((1 + confidence) / 2, freedom: without.count - 1) * spread.error
    return SamplingError(
      value: value, corrected: spread.corrected, standardError: spread.error,
      lower: spread.corrected - reach, upper: spread.corrected + reach, confidence: confidence,
      groups: without.count, groupApplications: groupApplications, samples: sizes.reduce(0, +))
  }

  /// The error of a mean over all samples (a loss, a trace, a Rayleigh quotient of a fixed vector) from its
  /// means over the groups. Unbiased: the interval covers the mean over ever more samples.
  public static func mean(
    of groups: [Double], sizes: [Int], confidence: Double = 0.95, groupApplications: Int = 0
  ) -> SamplingError {
    let total = sizes.reduce(0, +)
    let sum = zip(groups, sizes).reduce(0) { $0 + $1.0 * Double($1.1) }
    return jackknife(
      value: sum / Double(total),
      without: zip(groups, sizes).map { (sum - $0 * Double($1)) / Double(total - $1) },
      sizes: sizes, confidence: confidence, groupApplications: groupApplications)
  }

  /// The error of any number that is made of a map, by making it anew without each group.
  ///
  /// - Parameters:
  ///   - groups: the map of each group's own mean.
  ///   - statistic: what is made of the mean over some groups; its products are not counted.
  public static func statistic<Map: LinearMap>(
    of groups: [Map], sizes: [Int], confidence: Double = 0.95,
    _ statistic: (WeightedSumMap<Map>) throws -> Double
  ) throws -> SamplingError {
    try jackknife(
      value: statistic(mean(groups, sizes, without: nil)),
      without: groups.indices.map { try statistic(mean(groups, sizes, without: $0)) },
      sizes: sizes, confidence: confidence)
  }

  static func mean<Map: LinearMap>(
    _ groups: [Map], _ sizes: [Int], without left: Int?
  ) -> WeightedSumMap<Map> {
    let total = sizes.reduce(0, +) - (left.map { sizes[$0] } ?? 0)
    return WeightedSumMap(
      groups, weights: sizes.indices.map { $0 == left ? 0 : Double(sizes[$0]) / Double(total) })
  }

  init(
    value: Double, corrected: Double, standardError: Double, lower: Double, upper: Double,
    confidence: Double, groups: Int, groupApplications: Int, samples: Int, tail: HeavyTail? = nil
  ) {
    tailIndex = tail?.index
    unseen = tail?.unseen
    self.value = value
    self.corrected = corrected
    self.standardError = standardError
    self.lower = lower
    self.upper = upper
    self.confidence = confidence
    self.groups = groups
    self.groupApplications = groupApplications
    let advice = "measure on more than these \(samples) samples"
    if groups < Self.minimumGroups {
      warning =
        "\(groups) groups of samples are too few to tell the spread, for which "
        + "\(Self.minimumGroups) are wanted; \(advice)"
    } else if let tail, let index = tail.index, tail.unseen > abs(value) / 2 {
      warning =
        "a few samples carry much of it (the sharpest \(Wording.short(100 * tail.largestShare)) %, tail index "
        + "\(Wording.short(index))), and sharper ones may be missing; \(advice)"
    } else if upper - lower > abs(value) {
      warning =
        "the interval is wider than the value \(Wording.short(value)) itself; \(advice)"
    } else if abs(value - corrected) > abs(value) / 4 {
      warning =
        "\(Wording.short(value - corrected)) of the value \(Wording.short(value)) is an effect of the sample's "
        + "size; \(advice)"
    } else {
      warning = nil
    }
  }

  /// Fewer groups than this make a warning.
  public static let minimumGroups = 5
}

/// Estimate and error of the delete-a-group jackknife.
struct Jackknife {
  var corrected: Double
  var error: Double

  init(value: Double, without: [Double], sizes: [Int]) {
    let count = without.count
    precondition(count >= 2 && sizes.count == count, "a jackknife needs 2 groups and their sizes")
    // In units of the largest, no square overflows or vanishes.
    let peak = without.reduce(abs(value)) { max($0, abs($1)) }
    let unit = peak > 0 && peak.isFinite ? peak : 1
    let (value, without) = (value / unit, without.map { $0 / unit })
    let total = Double(sizes.reduce(0, +))
    let corrected = zip(without, sizes).reduce(Double(count) * value) {
      $0 - (1 - Double($1.1) / total) * $1.0
    }
    let variance = zip(without, sizes).reduce(0) { sum, group in
      let h = total / Double(group.1)
      let pseudo = h * value - (h - 1) * group.0
      return sum + (pseudo - corrected) * (pseudo - corrected) / (h - 1)
    }
    self.corrected = unit * corrected
    error = unit * (variance / Double(count)).squareRoot()
  }
}

/// The `t` below which Student's distribution has `probability` in `[0.5, 1)`.
///
/// Reference: Abramowitz and Stegun, "Handbook of Mathematical Functions" (1964), 26.7.3 and 26.7.4.
package func studentQuantile(_ probability: Double, freedom: Int) -> Double {
  precondition(probability >= 0.5 && probability < 1 && freedom >= 1, "no such quantile")
  /// The chance of `|T| < sqrt(freedom) tan(angle)`.
  func central(_ angle: Double) -> Double {
    let (sine, cosine) = (sin(angle), cos(angle))
    var (sum, term) = (0.0, freedom % 2 == 0 ? 1 : cosine)
    for k in stride(from: freedom % 2 == 0 ? 1 : 2, to: freedom, by: 2) {
      sum += term
      term *= cosine * cosine * Double(k) / Double(k + 1)
    }
    return freedom % 2 == 0 ? sine * sum : 2 / Double.pi * (angle + sine * sum)
  }
  var (low, high) = (0.0, Double.pi / 2)
  for _ in 0..<60 {
    let middle = (low + high) / 2
    if central(middle) < 2 * probability - 1 { low = middle } else { high = middle }
  }
  return Double(freedom).squareRoot() * tan(low)
}
