import LinearMaps

/// How mini-batches are drawn: by step and seed alone, so that a run can go on from any step.
public struct Batches: Sendable, Equatable, Codable {
  public enum Sampling: String, Sendable, Codable, CaseIterable {
    /// All samples in an order drawn anew for each pass over them.
    case shuffle
    /// Each batch drawn from all samples, independently; a sample can be in it twice.
    case replacement
  }

  /// What becomes of the samples left over at the end of a shuffled pass.
  public enum Last: String, Sendable, Codable, CaseIterable {
    /// They are a smaller batch.
    case included
    /// They are left out of the pass.
    case dropped
  }

  /// Samples of a batch.
  public var size: Int
  public var seed: UInt64
  public var sampling: Sampling
  public var last: Last

  public init(
    size: Int, seed: UInt64, sampling: Sampling = .shuffle, last: Last = .included
  ) {
    self.size = size
    self.seed = seed
    self.sampling = sampling
    self.last = last
  }

  /// Steps of a pass over this many samples: as many batches as they fill, and the smaller one where it is
  /// included.
  public func stepsPerPass(_ sampleCount: Int) -> Int {
    sampling == .shuffle && last == .included
      ? (sampleCount + size - 1) / size : max(1, sampleCount / size)
  }
}

/// Which samples each step of a run over mini-batches takes.
struct BatchOrder {
  let sampleCount: Int
  let batches: Batches
  private var pass = -1
  private var order: [Int] = []

  init(sampleCount: Int, _ batches: Batches) {
    self.sampleCount = sampleCount
    self.batches = batches
  }

  /// The sizes of batches that occur, the usual one first.
  var sizes: [Int] {
    let rest = sampleCount % batches.size
    return batches.sampling == .shuffle && batches.last == .included && rest > 0
      ? [batches.size, rest] : [batches.size]
  }

  mutating func samples(of step: Int) -> ArraySlice<Int> {
    switch batches.sampling {
    case .replacement:
      var generator = generator(step)
      return (0..<batches.size).map { _ in Int.random(in: 0..<sampleCount, using: &generator) }[...]
    case .shuffle:
      let (pass, batch) = step.quotientAndRemainder(
        dividingBy: batches.stepsPerPass(sampleCount))
      if pass != self.pass {
        var generator = generator(pass)
        order = (0..<sampleCount).shuffled(using: &generator)
        self.pass = pass
      }
      return order[batch * batches.size..<min(sampleCount, (batch + 1) * batches.size)]
    }
  }

  private func generator(_ index: Int) -> SeededGenerator {
    SeededGenerator(
      seed: batches.seed ^ UInt64(bitPattern: Int64(index)) &* 0xD1B5_4A32_D192_ED03)
  }
}
