import TensorPrograms

/// SplitMix64: a small generator whose stream depends on its seed alone.
package struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678 }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  package mutating func uniform(_ low: Double, _ high: Double) -> Double {
    low + (high - low) * Double(next() >> 11) * 0x1p-53
  }

  package mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  package mutating func pick<T>(_ items: [T]) -> T { items[integer(0...(items.count - 1))] }

  /// True with the given probability.
  package mutating func chance(_ probability: Double) -> Bool { uniform(0, 1) < probability }

  /// A size for an axis: now and then 0 or 1, else 2 to 4.
  package mutating func size(least: Int = 0) -> Int {
    let size = pick([0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    return size < least ? least : size
  }

  package mutating func shape(ranks: ClosedRange<Int> = 0...3, least: Int = 0) -> Shape {
    Shape((0..<integer(ranks)).map { _ in size(least: least) })
  }

  /// A random subset of the axes of a shape, in order.
  package mutating func axes(of shape: Shape) -> [Int] {
    (0..<shape.rank).filter { _ in chance(0.5) }
  }
}

/// How the numbers of an input are drawn, so that a primitive is asked within its domain and away from
/// its kinks.
package enum Domain: Hashable, Sendable {
  case uniform(Double, Double)
  /// Of either sign, with a magnitude between the two.
  case signed(Double, Double)
  /// An integer between -3 and 3 plus a fraction between the two.
  case fraction(Double, Double)
  /// Multiples of 1/4 plus an offset: two inputs of different offsets have no ties.
  case grid(offset: Double)
  /// No two elements equal.
  case distinct
  case integers(ClosedRange<Int>)
  case nonzeroIntegers
  case bools

  package func draw(_ type: TensorType, _ random: inout SeededGenerator) -> Tensor {
    let count = type.shape.count
    func fill(_ draw: () -> Double) -> Tensor {
      Tensor((0..<count).map { _ in draw() }, type: type)
    }
    switch self {
    case .uniform(let low, let high): return fill { random.uniform(low, high) }
    case .signed(let low, let high):
      return fill { random.uniform(low, high) * (random.chance(0.5) ? 1 : -1) }
    case .fraction(let low, let high):
      return fill { Double(random.integer(-3...3)) + random.uniform(low, high) }
    case .grid(let offset): return fill { Double(random.integer(-6...6)) / 4 + offset }
    case .distinct:
      let ladder = (0..<count).map { (Double($0) - Double(count) / 2) / 4 }
      return Tensor(ladder.shuffled(using: &random), type: type)
    case .integers(let range): return fill { Double(random.integer(range)) }
    case .nonzeroIntegers:
      return fill { Double(random.integer(1...7) * (random.chance(0.5) ? 1 : -1)) }
    case .bools: return fill { random.chance(0.5) ? 1 : 0 }
    }
  }
}
