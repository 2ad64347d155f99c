import LinearMaps

/// Where a step's gradient comes from.
public enum GradientSource<Scalar: LinearMapScalar> {
  /// The mean over all samples.
  case allSamples
  /// The mean over `size` samples at a time, in an order drawn anew by the seed for each pass over all of
  /// them; the last batch of a pass has what is left.
  case batches(size: Int, seed: UInt64)
  /// Somebody else's: a loss and its gradient at a point, for a step counted from 0.
  case closure((_ point: [Scalar], _ step: Int) throws -> (value: Double, gradient: [Scalar]))

  /// What a state holds; nil where that was a closure's gradients, which no state can hold.
  init?(_ samples: SampleSource?) {
    switch samples {
    case nil: return nil
    case .all?: self = .allSamples
    case .batches(let size, let seed)?: self = .batches(size: size, seed: seed)
    }
  }

  /// What a state holds of it; nil for a closure.
  var samples: SampleSource? {
    switch self {
    case .allSamples: .all
    case .batches(let size, let seed): .batches(size: size, seed: seed)
    case .closure: nil
    }
  }
}

/// Which samples each step of a run over mini-batches takes: by step and seed alone, so that a run can go
/// on from any step.
struct BatchOrder {
  let sampleCount: Int
  let size: Int
  let seed: UInt64
  private var pass = -1
  private var order: [Int] = []

  init(sampleCount: Int, size: Int, seed: UInt64) {
    self.sampleCount = sampleCount
    self.size = size
    self.seed = seed
  }

  var batchesPerPass: Int { (sampleCount + size - 1) / size }
  /// Samples in the last batch of a pass.
  var rest: Int { sampleCount - (batchesPerPass - 1) * size }

  mutating func samples(of step: Int) -> ArraySlice<Int> {
    let (pass, batch) = step.quotientAndRemainder(dividingBy: batchesPerPass)
    if pass != self.pass {
      var generator = SeededGenerator(
        seed: seed ^ UInt64(bitPattern: Int64(pass)) &* 0xD1B5_4A32_D192_ED03)
      order = (0..<sampleCount).shuffled(using: &generator)
      self.pass = pass
    }
    return order[batch * size..<min(sampleCount, (batch + 1) * size)]
  }
}
