/// One line of our side of the conversation about spectra.
struct Answer: Encodable {
  struct Stage: Encodable {
    var name: String
    var bytes: Int
  }

  var seconds = 0.0
  var products = 0
  var values: [Double]?
  /// Of each value, relative to the largest |eigenvalue|.
  var residuals: [Double]?
  /// Not below the largest eigenvalue.
  var bound: Double?
  var reason: String?
  /// A density's atoms and their shares.
  var nodes: [[Double]]?
  var weights: [[Double]]?
  /// What the density says of its own distance from the truth.
  var error: Double?
  /// The most memory held resident, up to and with each stage.
  var memory: [Stage]?
}
