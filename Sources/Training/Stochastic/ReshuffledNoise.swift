import Foundation
import LinearMaps

/// Mini-batch descent on least squares, the samples shuffled anew for each pass over them.
///
/// A pass in a given order is an affine map of the error, `e+ = P e + q`, exactly. Orders are independent
/// from pass to pass, so that the moments at the ends of passes go on by the means of `P`, `q` and of
/// their products over all orders: closed and linear, `S+ = E[P S P'] + E[P m q'] + E[q m' P'] + E[q q']`.
/// The means over orders have no closed form (a batch tells what the later ones hold), and are averaged
/// over seeded orders, each with its reverse; the spread between 16 groups of orders gives the error. Where
/// there are few ways to part the samples into batches they are averaged over all of them, exactly.
///
/// What is left at the end of a pass is far less than with replacement at small rates, since each pass sees
/// every sample once and their pulls cancel; it is more where a last, smaller batch is as noisy as it is
/// small.
///
/// Reference: Mishchenko, Khaled and Richtarik, "Random reshuffling: simple analysis with vast
/// improvements" (arXiv:2006.05988).
package struct ReshuffledNoise {
  package let samples: LeastSquaresSamples
  package let batch: Int
  package let form: MomentumForm
  package let seed: UInt64
  /// Whether the samples left over at a pass's end are left out.
  let dropsLast: Bool

  /// The mean loss gaps that runs settle at.
  package struct Floor: Sendable, Equatable {
    /// At the end of a pass and in its middle, after half of its steps.
    package let end: Double
    package let middle: Double
    /// Of the averages over orders.
    package let endError: Double
    package let middleError: Double
    /// Orders of the samples averaged over.
    package let orders: Int
  }

  /// Directions, twice as many with momentum, up to which the moments' system is written out.
  package static let mostDirections = 30

  /// - Returns: nil above `mostDirections`.
  package init?(
    _ samples: LeastSquaresSamples, batch: Int, form: MomentumForm = .plain, seed: UInt64 = 0,
    dropsLast: Bool = false
  ) {
    guard samples.dimension * (form.momentum == 0 ? 1 : 2) <= Self.mostDirections else {
      return nil
    }
    self.samples = samples
    self.batch = min(batch, samples.count)
    self.form = form
    self.seed = seed
    self.dropsLast = dropsLast
  }

  /// Ways to part the samples up to which all are taken.
  static let mostWays = 1_000

  func map(rate: Double) -> EpochMap {
    EpochMap(samples, batch: batch, form: form, rate: rate, dropsLast: dropsLast)
  }

  /// The mean loss gap that runs settle at; nil where second moments grow from pass to pass.
  ///
  /// - Parameters:
  ///   - precision: the relative error to reach, as far as the work allows.
  ///   - work: multiplications that may be spent.
  package func floor(rate: Double, precision: Double = 0.007, work: Double = 2e9) -> Floor? {
    passes(rate: rate, precision: precision, work: work)?.floor
  }

  /// The same with what leads there.
  package func passes(
    rate: Double, precision: Double = 0.007, work: Double = 2e9
  ) -> ReshuffledPasses? {
    let map = map(rate: rate)
    var generator = SeededGenerator(seed: seed)
    var moments = EpochMoments(map)
    if moments.takeAll(upTo: Self.mostWays) {
      return settled(moments).map {
        ReshuffledPasses(samples: samples, floor: $0, means: moments.means())
      }
    }
    let width = Double(map.order * (map.order + 1))
    let cost = 2 * Double(EpochMoments.groupCount) * (map.work + width * width)
    let most = max(8, Int(work / cost))
    var pairs = min(16, most)
    moments.draw(pairs, &generator)
    while true {
      guard let floor = settled(moments) else { return nil }
      let error = max(floor.endError / floor.end, floor.middleError / floor.middle)
      guard error > precision, pairs < most else {
        return ReshuffledPasses(samples: samples, floor: floor, means: moments.means())
      }
      let wanted = Double(pairs) * min(8, 1.2 * (error / precision) * (error / precision))
      let more = min(most, max(pairs + 1, Int(wanted))) - pairs
      for start in stride(from: 0, to: more, by: 64) {
        moments.draw(min(64, more - start), &generator)
      }
      pairs += more
    }
  }

  private func settled(_ moments: EpochMoments) -> Floor? {
    let means = moments.means()
    let d = means.order
    guard let system = PassSystem(means, weights: weights), system.isStable,
      let first = LUFactors(columnMajor: means.firstSystem, dimension: d)
    else { return nil }
    let solved = system.solve
    let zero = ErrorMoments(
      mean: .init(repeating: 0, count: d), second: .init(repeating: 0, count: d * d))
    let mean = first.solve(means.image(mean: zero.mean))
    let settled = ErrorMoments(
      mean: mean,
      second: solved(means.image(ErrorMoments(mean: mean, second: zero.second))))
    let k = samples.dimension
    func gap(_ second: [Double]) -> Double {
      (0..<k).reduce(0) { $0 + samples.curvatures[$1] * second[$1 * d + $1] } / 2
    }
    let (end, middle) = (gap(settled.second), means.middleGap(settled))
    guard end.isFinite, middle.isFinite, end >= 0, middle >= 0 else { return nil }
    if moments.isWhole {
      return Floor(end: end, middle: middle, endError: 0, middleError: 0, orders: moments.drawn)
    }
    guard end > 0, middle > 0 else { return nil }
    // To first order, by what a group's own means would move the solution.
    let moved = (0..<EpochMoments.groupCount).map { group -> (end: Double, middle: Double) in
      let own = moments.means(group: group)
      let shift = first.solve(zip(own.image(mean: mean), mean).map { $0 - $1 })
      let cross = means.cross(mean: shift)
      let image = own.image(settled)
      let change = solved(image.indices.map { image[$0] - settled.second[$0] + cross[$0] })
      let there = ErrorMoments(
        mean: zip(mean, shift).map { $0 + $1 },
        second: zip(settled.second, change).map { $0 + $1 })
      let direct = own.middleGap(settled) - middle
      return (gap(change), direct + means.middleGap(there) - middle)
    }
    let count = Double(moved.count)
    func error(_ values: [Double]) -> Double {
      (values.reduce(0) { $0 + $1 * $1 } / (count * (count - 1))).squareRoot()
    }
    return Floor(
      end: end, middle: middle, endError: error(moved.map(\.end)),
      middleError: error(moved.map(\.middle)), orders: moments.drawn)
  }
}

/// Shuffled passes at one rate: what they settle at, and how they get there from the minimum.
package struct ReshuffledPasses {
  let samples: LeastSquaresSamples
  package let floor: ReshuffledNoise.Floor
  let means: EpochMeans

  /// The mean loss gaps of runs that begin at the minimum, at rest, averaged over some of their passes, which
  /// are counted from 0.
  package func course(over passes: Range<Int>) -> (end: Double, middle: Double) {
    let (d, k) = (means.order, samples.dimension)
    var moments = ErrorMoments(of: [Double](repeating: 0, count: d))
    var (end, middle) = (0.0, 0.0)
    for pass in 0..<passes.upperBound {
      if passes.contains(pass) { middle += means.middleGap(moments) }
      moments = ErrorMoments(mean: means.image(mean: moments.mean), second: means.image(moments))
      guard passes.contains(pass) else { continue }
      end +=
        (0..<k).reduce(0) { $0 + samples.curvatures[$1] * moments.second[$1 * d + $1] } / 2
    }
    return (end / Double(passes.count), middle / Double(passes.count))
  }
}
