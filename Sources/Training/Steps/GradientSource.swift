import LinearMaps

/// Where a step's gradient comes from.
public enum GradientSource<Scalar: LinearMapScalar> {
  /// The mean over all samples.
  case allSamples
  /// The mean over some samples at a time.
  case batches(Batches)
  /// Somebody else's: a loss and its gradient at a point, for a step counted from 0.
  case closure((_ point: [Scalar], _ step: Int) throws -> (value: Double, gradient: [Scalar]))

  /// What a state holds; nil where that was a closure's gradients, which no state can hold.
  init?(_ samples: SampleSource?) {
    switch samples {
    case nil: return nil
    case .all?: self = .allSamples
    case .batches(let batches)?: self = .batches(batches)
    }
  }

  /// What a state holds of it; nil for a closure.
  var samples: SampleSource? {
    switch self {
    case .allSamples: .all
    case .batches(let batches): .batches(batches)
    case .closure: nil
    }
  }
}
