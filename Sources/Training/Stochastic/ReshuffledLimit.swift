import LinearMaps

/// The rate up to which shuffled passes stay bounded in the mean.
extension ReshuffledNoise {
  package struct Limit: Sendable, Equatable {
    package let rate: Double
    /// Of the average over drawn orders; 0 where all were taken. Rare orders that decide may be among
    /// those that were not drawn.
    package let error: Double
  }

  /// The rate up to which second moments at the ends of passes stay bounded: where the spectral radius of
  /// `S -> E[P S P']` first crosses one, over the same orders at each rate, to a relative 1e-10; 0 where none is found.
  ///
  /// - Parameters:
  ///   - near: where the search begins; what is below it by much is taken to be stable.
  ///   - most: returned where they stay bounded up to it.
  ///   - orders: averaged over where there are too many to take all.
  ///   - work: multiplications that may be spent, about.
  package func limit(
    near: Double, below most: Double, orders: Int = 512, work: Double = 1.5e9
  ) -> Limit {
    let map = map(rate: most)
    if map.steps == 1, batch == samples.count {
      return Limit(rate: form.criticalProduct / (samples.curvatures.last ?? 1), error: 0)
    }
    let width = Double(map.order * (map.order + 1))
    let cost = 16 * (map.work + width * width)
    let pairs = max(1, min(orders, Int(min(1e6, work / cost))) / 2 / EpochMoments.groupCount)
    func moments(_ rate: Double) -> EpochMoments {
      var moments = EpochMoments(self.map(rate: rate))
      if moments.takeAll(upTo: max(32, min(Self.mostWays, 2 * pairs * EpochMoments.groupCount))) {
        return moments
      }
      var generator = SeededGenerator(seed: seed)
      moments.draw(pairs, &generator)
      return moments
    }
    func left(_ rate: Double) -> Double {
      PassSystem(moments(rate).means(), weights: weights)?.margin ?? -1
    }
    var (low, high) = (min(near, most), min(near, most))
    if left(low) > 0 {
      repeat {
        low = high
        guard low < most else { return Limit(rate: most, error: 0) }
        high = min(most, 1.15 * low)
      } while left(high) > 0
    } else {
      repeat {
        high = low
        low *= 0.85
      } while left(low) <= 0 && low > 1e-3 * min(near, most)
      // Nothing is known to be stable.
      guard left(low) > 0 else { return Limit(rate: 0, error: 0) }
    }
    let rate = Bracket(low: low, high: high).root(1e-10, left)
    return Limit(rate: rate, error: error(at: rate, moments))
  }

  /// To first order, by how much the groups of orders disagree about the spectral radius, over its slope.
  private func error(at rate: Double, _ moments: (Double) -> EpochMoments) -> Double {
    let here = moments(rate * (1 - 1e-6))
    let means = here.means()
    guard !here.isWhole, let system = PassSystem(means, weights: weights) else { return 0 }
    let (right, left) = system.edge
    func radius(_ means: EpochMeans) -> Double {
      let image = system.packed(means.linearImage(right))
      return zip(left, image).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let norm = zip(left, system.packed(right)).reduce(0) { $0 + $1.0 * $1.1 }
    let step = 1e-3 * rate
    let slope = (radius(moments(rate + step).means()) - radius(means)) / (step + 1e-6 * rate)
    guard norm != 0, slope != 0 else { return 0 }
    let mean = radius(means)
    let count = Double(EpochMoments.groupCount)
    let square = (0..<EpochMoments.groupCount).reduce(0.0) { sum, group in
      let moved = (radius(here.means(group: group)) - mean) / slope
      return sum + moved * moved
    }
    return (square / (count * (count - 1))).squareRoot()
  }

  /// The curvatures of errors, and of velocities beside them, as shares of the largest: right sides by
  /// which sharp and flat directions count alike.
  var weights: [Double] {
    let top = samples.curvatures.last ?? 1
    let own = samples.curvatures.map { $0 / top }
    return form.momentum == 0 ? own : own + own
  }
}

/// `I - T` of shuffled passes, `T S = E[P S P']`, factored.
///
/// `T` leaves the cone of positive semidefinite matrices in itself, so that its spectral radius is below one
/// if and only if `(I - T) X = W` has a positive definite solution for a positive definite `W`.
///
/// Reference: Schneider, "Positive operators and an inertia theorem", Numerische Mathematik 7 (1965).
struct PassSystem {
  private let order: Int
  private let pairs: [(Int, Int)]
  private let factors: LUFactors
  private let weights: [Double]

  init?(_ means: EpochMeans, weights: [Double]) {
    pairs = means.pairs
    guard let factors = LUFactors(columnMajor: means.secondSystem, dimension: pairs.count) else {
      return nil
    }
    (order, self.factors, self.weights) = (means.order, factors, weights)
  }

  func packed(_ second: [Double]) -> [Double] { pairs.map { second[$1 * order + $0] } }

  private func unpacked(_ packed: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: order * order)
    for (index, (i, l)) in pairs.enumerated() {
      result[l * order + i] = packed[index]
      result[i * order + l] = packed[index]
    }
    return result
  }

  /// `(I - T)^-1` of a symmetric matrix.
  func solve(_ right: [Double]) -> [Double] { unpacked(factors.solve(packed(right))) }

  /// `X`, of the diagonal matrix of the weights.
  private var response: [Double] {
    solve((0..<order * order).map { $0 % order == $0 / order ? weights[$0 % order] : 0 })
  }

  private func isPositive(_ second: [Double]) -> Bool {
    second.allSatisfy(\.isFinite) && CholeskyFactor(columnMajor: second, dimension: order) != nil
  }

  var isStable: Bool { isPositive(response) }

  /// Falls through zero, about in proportion to the rate's distance from it, where the spectral radius
  /// crosses one.
  var margin: Double {
    let second = response
    let value = 1 / (0..<order).reduce(0) { $0 + second[$1 * order + $1] }
    return isPositive(second) ? value : -abs(value)
  }

  /// The eigenvector of the spectral radius and, packed, that of the transposed system, near the limit.
  var edge: (right: [Double], left: [Double]) {
    let right = solve(response)
    let size = right.map(abs).max() ?? 1
    let packed = packed((0..<order * order).map { $0 % order == $0 / order ? 1 : 0 })
    let left = factors.solve(factors.solve(packed, transposed: true), transposed: true)
    let scale = left.map(abs).max() ?? 1
    return (right.map { $0 / size }, left.map { $0 / scale })
  }
}
