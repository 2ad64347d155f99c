import Foundation

/// What samples sharper than any that was seen may add to a mean curvature, by the tail of those that were.
///
/// Student's interval trusts the spread between samples. Where a few carry the mean, a sample without
/// them shows neither the mean nor the spread, and the interval ends too low. Beyond the largest of `n`
/// values a tail `P(c > x) ~ x^-a` holds `a / (a - 1)` times `max / n` of the mean, to the order of one
/// such value in `n`. The index `a` is Hill's from the `k` largest values,
///
///     1 / a = (1/k) sum_(i <= k) log(c_(i) / c_(k+1)),   k = sqrt(n), at least 4,
///
/// lowered by its standard error `a / sqrt(k)` and not below 1.1: under 1 there is no mean at all. Rarer
/// samples than one in `n` stay unseen by any statistic of these.
///
/// Reference: Hill, "A simple general approach to inference about the tail of a distribution", Annals of
/// Statistics 3 (1975); Johansson, "Estimating the mean of heavy-tailed distributions", Extremes 6 (2003).
struct HeavyTail {
  /// Hill's estimate of the index; nil where the largest values do not differ or are not positive.
  let index: Double?
  /// What may be missing from the mean.
  let unseen: Double
  /// The part of the sum of all positive values that the largest has.
  let largestShare: Double

  /// - Parameter values: mean curvatures of groups of `sizes` samples along one direction.
  init(_ values: [Double], sizes: [Int]) {
    precondition(values.count == sizes.count && !values.isEmpty, "a size goes with each value")
    let total = Double(sizes.reduce(0, +))
    let sums = zip(values, sizes).map { $0 * Double($1) / total }
    let largest = max(sums.max()!, 0)
    let positive = sums.reduce(0) { $0 + max($1, 0) }
    largestShare = positive > 0 ? largest / positive : 0
    // The mean of a group hides its largest sample among ordinary ones, which are taken off.
    let middle = values.sorted()[values.count / 2]
    let tail = zip(values, sizes).map { $0 - (1 - 1 / Double($1)) * middle }
      .filter { $0 > 0 }.sorted(by: >)
    let count = min(max(4, Int(Double(values.count).squareRoot().rounded())), tail.count - 1)
    let mean =
      count < 1
      ? 0 : tail.prefix(count).reduce(0) { $0 + log($1 / tail[count]) } / Double(count)
    index = mean > 1e-9 ? 1 / mean : nil
    let lowered = index.map { max(1.1, $0 / (1 + 1 / Double(count).squareRoot())) }
    unseen = largest * (lowered.map { $0 / ($0 - 1) } ?? 1)
  }
}
