import Foundation

/// Runs in the same orders of the batches, compared order by order: what an order does to all of them is no
/// difference between them.
enum Orders {
  /// Whether one run came lower than another for certain: in each order, or by more than half in the geometric
  /// mean; nil where they were not run in the same orders.
  static func isLower(_ own: [Double]?, than other: [Double]?) -> Bool? {
    guard let own, let other, own.count > 1, own.count == other.count else { return nil }
    if zip(own, other).allSatisfy({ $0 < $1 }) { return true }
    guard own.allSatisfy({ $0 > 0 }), other.allSatisfy({ $0 > 0 }) else { return false }
    let difference = zip(own, other).reduce(0) { $0 + log($1.0 / $1.1) } / Double(own.count)
    return difference < -log(2)
      && own.reduce(0, +) < other.reduce(0, +)
  }
}
