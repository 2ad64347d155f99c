import Curvature
import LinearMaps

/// What a diagnosis may cost, so that a large model's ends within minutes: by count of operations, so
/// that every run of the same command does the same.
struct WorkBudget {
  /// Work in all, in operations of a large matrix product.
  let limit: Double
  /// Work of one gradient over all samples.
  let gradient: Double
  /// Parameters.
  let dimension: Int

  init<Scalar>(_ objective: any Loss<Scalar>, limit: Double) throws {
    self.limit = limit
    gradient = try objective.gradientWork()
    dimension = objective.parameterCount
  }

  /// The share of a thorough diagnosis's work, from `--effort 10` on: trials there run to their ends, and
  /// below it less long and only while they can win.
  var thoroughness: Double { min(1, limit / Self.thorough) }

  /// Whether trials stop that can no longer win.
  var cutsTrials: Bool { thoroughness < 1 }

  /// The work of a thorough diagnosis.
  private static let thorough = 10 * Resources.workOfEffort

  /// Work of a Hessian product, with the values that it keeps or computes anew: that of three gradients.
  var product: Double { 3 * gradient }

  /// Hessian products that a share of the budget pays for, from `least` up to `most`.
  ///
  /// `k` products of a Krylov space come with `2 n k²` operations of orthogonalisation at the speed of
  /// memory, a hundredth of that of matrix products.
  func products(share: Double, least: Int, most: Int) -> Int {
    let quadratic = 200 * Double(dimension)
    let root = (product * product + 4 * quadratic * share * limit).squareRoot()
    return max(least, min(most, Int(min(1e9, (root - product) / (2 * quadratic)))))
  }

  /// Samples that a diagnosis with the usual measurements has room for; nil for all of them.
  ///
  /// A few hundred gradients pay for thirty products and for trials that show a difference.
  func affordableSamples(of count: Int) -> Int? {
    let affordable = limit / (400 * gradient)
    return affordable >= 1 ? nil : min(count, max(16, Int(affordable * Double(count))))
  }

  /// Whether a measurement of this many products may be made for a share of the budget; where not, the
  /// report will name it.
  func affords(_ measurement: String, products: Int, share: Double = 0.1) -> Bool {
    affords(measurement, work: Double(products) * product, share: share)
  }

  /// The same for a measurement of this work.
  func affords(_ measurement: String, work: Double, share: Double) -> Bool {
    if work <= share * limit { return true }
    if !leftOut.names.contains(measurement) { leftOut.names.append(measurement) }
    return false
  }

  /// Measurements that were too dear, in order.
  final class LeftOut {
    fileprivate(set) var names: [String] = []
  }

  let leftOut = LeftOut()

  /// Steps of a trial, of those that it would take else.
  func trialSteps(_ wanted: Int, trials: Int) -> Int {
    max(2, min(wanted, Int(min(1e9, 0.4 * limit / (gradient * Double(trials))))))
  }
}
