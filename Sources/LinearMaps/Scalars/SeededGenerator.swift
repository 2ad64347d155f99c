import Foundation

/// xoshiro256** seeded by SplitMix64: the same numbers on every platform.
///
/// Normal numbers come from the ratio of uniforms, whose values need no logarithm or cosine (only
/// its acceptance test does), so they do not depend on a platform's mathematics library either.
///
/// Reference: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021);
/// Kinderman and Monahan, "Computer generation of random variables using the ratio of uniform
/// deviates" (1977).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private(set) var state: (UInt64, UInt64, UInt64, UInt64)

  public init(seed: UInt64) {
    var mixer = seed
    func next() -> UInt64 {
      mixer &+= 0x9E37_79B9_7F4A_7C15
      var z = mixer
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    state = (next(), next(), next(), next())
  }

  init(state: (UInt64, UInt64, UInt64, UInt64)) {
    self.state = state
  }

  public mutating func next() -> UInt64 {
    let product = state.1 &* 5
    let result = ((product << 7) | (product >> 57)) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = (state.3 << 45) | (state.3 >> 19)
    return result
  }

  /// A uniform number in `[0, 1)`, a multiple of 2⁻⁵³.
  public mutating func nextUniform() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// A standard normal number.
  public mutating func nextNormal() -> Double {
    // 2 sqrt(2/e) is the width of the region from which v is drawn.
    let width = 1.7155277699214135
    while true {
      let u = 1 - nextUniform()
      let x = width * (nextUniform() - 0.5) / u
      if x * x <= -4 * log(u) { return x }
    }
  }

  /// A vector uniform on the unit sphere in `n` dimensions.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func unitSphere<Scalar: LinearMapScalar>(
    _ n: Int, as type: Scalar.Type = Scalar.self
  ) -> [Scalar] {
    precondition(n >= 1, "a sphere has at least one dimension")
    var normals = [Double](repeating: 0, count: n)
    var sum = 0.0
    while sum == 0 {
      for i in 0..<n {
        normals[i] = nextNormal()
        sum += normals[i] * normals[i]
      }
    }
    let scale = 1 / sum.squareRoot()
    return normals.map { Scalar($0 * scale) }
  }

  /// A vector of `n` fair signs, ±1.
  @_specialize(where Scalar == Float)
  @_specialize(where Scalar == Double)
  public mutating func rademacher<Scalar: LinearMapScalar>(
    _ n: Int, as type: Scalar.Type = Scalar.self
  ) -> [Scalar] {
    var signs = [Scalar](repeating: 1, count: n)
    var bits: UInt64 = 0
    for index in 0..<n {
      if index % 64 == 0 { bits = next() }
      if bits & 1 != 0 { signs[index] = -1 }
      bits >>= 1
    }
    return signs
  }
}
