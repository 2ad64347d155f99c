import LinearMaps

/// Adds up what all parties have that hold shares of the samples, on each of them or on the first.
public protocol Reduction: Sendable {
  /// Replaces `count` numbers by their sums over all parties.
  func sum<Scalar: LinearMapScalar>(
    _ values: UnsafeMutablePointer<Scalar>, _ count: Int
  ) throws
}

/// All samples are here.
public struct LocalReduction: Reduction {
  public init() {}

  public func sum<Scalar: LinearMapScalar>(_: UnsafeMutablePointer<Scalar>, _: Int) throws {}
}

/// `sum_b w_b x_b` over micro-batches `b`: every mean over samples is one.
struct BatchSum {
  let batches: Range<Int>
  /// The share of each batch in the samples of all parties.
  let weights: [Double]
  let reduction: any Reduction

  /// The weighted sum of vectors, and of a number beside each.
  ///
  /// - Parameters:
  ///   - count: the length of the vectors; 0 for the numbers alone.
  ///   - total: where the vectors' sum goes.
  ///   - compute: writes the vector of one batch and returns its number.
  func callAsFunction<Scalar: LinearMapScalar>(
    _ count: Int, into total: UnsafeMutablePointer<Scalar>?,
    _ compute: (_ batch: Int, _ part: UnsafeMutablePointer<Scalar>?) throws -> Double
  ) throws -> Double {
    var number = 0.0
    if batches.count == 1, weights[0] == 1 {
      number = try compute(batches.lowerBound, total)
    } else {
      var part = [Scalar](repeating: 0, count: count)
      total?.update(repeating: 0, count: count)
      for (batch, weight) in zip(batches, weights) {
        number +=
          weight * (try part.withUnsafeMutableBufferPointer { try compute(batch, $0.baseAddress) })
        if let total { Scalar.axpy(count, Scalar(weight), part, total) }
      }
    }
    if let total { try reduction.sum(total, count) }
    try reduction.sum(&number, 1)
    return number
  }
}
