import Foundation

/// What the runs before this one came to, for a run that can no longer win to be cut by.
///
/// Successive rejection: the most promising run goes first, and each later one gets the work in which it could
/// still be named. Decided by counts of operations, never by a clock.
/// Reference: Karnin, Koren and Somekh, "Almost optimal exploration in multi-armed bandits" (2013), on giving
/// the rest of a budget to those that can still win.
struct Contest {
  /// Operations in which the cheapest run that can lead arrived at the tolerance; nil before any has.
  var arrival: Double?
  /// The lowest loss so far, and the operations of the run that came there.
  var lowest: (loss: Double, operations: Double)?
  /// Whether this run is told beside the winner, as the given rate is: it keeps enough for that.
  var isTold = false
  /// Steps to the tolerance, where theory has them exactly.
  var foretold: Int?

  /// A simpler change leads up to twice the work of the cheapest.
  private static let reach = 2.0
  /// Multiples of the winner's work after which the given rate counts as far behind.
  private static let toldReach = 20.0

  /// Operations after which a run that has not arrived is cut; nil for none.
  ///
  /// - Parameter least: what every run gets, to show what it does.
  func allowance(least: Double) -> Double? {
    arrival.map { max((isTold ? Self.toldReach : Self.reach) * $0, least) }
  }

  /// Whether a run's measured rate of decrease leaves it above the lowest loss at the end of its work.
  ///
  /// The decrease per unit of work is taken to go on at the logarithmic rate of the latter half, which is more
  /// than slowing runs keep.
  /// - Parameters:
  ///   - losses: so far, before each step.
  ///   - floor: the certified minimum that logarithms are of the distance to; zero without one.
  func isLost(losses: [Double], operationsPerStep: Double, limit: Int, floor: Double?) -> Bool {
    guard !isTold, let lowest, operationsPerStep > 0, losses.count >= 4 else { return false }
    if let foretold, foretold <= limit { return false }
    let half = losses.count / 2
    let early = losses.prefix(half).lazy.filter(\.isFinite).min() ?? .infinity
    let now = min(early, losses.suffix(from: half).lazy.filter(\.isFinite).min() ?? .infinity)
    let end = max(Double(limit), lowest.operations / operationsPerStep)
    let left = (end - Double(losses.count)) / Double(losses.count - half)
    let base = floor ?? 0
    guard now > lowest.loss, early.isFinite, left > 0 else { return false }
    guard lowest.loss > base else {
      // Of a negative loss, or one at the floor, only differences say something.
      return floor == nil && now - left * (early - now) > lowest.loss
    }
    return (now - base) * pow((now - base) / (early - base), left) > lowest.loss - base
  }
}
