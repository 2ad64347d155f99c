import Curvature
import LinearMaps

/// What a diagnosis may cost, so that a large model's ends within minutes: by count of operations, so
/// that every run of the same command does the same.
struct WorkBudget {
  /// Operations in all.
  let limit: Double
  /// Operations of one gradient over all samples.
  let gradient: Double

  init<Scalar>(_ objective: Objective<Scalar>, limit: Double) throws {
    self.limit = limit
    gradient = try objective.gradientOperations()
  }

  /// A Hessian product, in operations: that of a gradient two to three times over.
  var product: Double { 3 * gradient }

  /// Hessian products that a share of the budget pays for, from `least` up to `most`.
  func products(share: Double, least: Int, most: Int) -> Int {
    max(least, min(most, Int(min(1e9, share * limit / product))))
  }

  /// Whether a measurement of this many products may be made for a share of the budget; where not, the
  /// report will name it.
  func affords(_ measurement: String, products: Int, share: Double = 0.1) -> Bool {
    if Double(products) * product <= share * limit { return true }
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
    max(2, min(wanted, Int(min(1e9, 0.3 * limit / (gradient * Double(trials))))))
  }
}
