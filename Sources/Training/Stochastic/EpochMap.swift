import Foundation
import LinearMaps

/// One pass over the samples of a least-squares loss in a given order, as the affine map of errors that it
/// is: `e+ = P e + q`, or of errors and velocities where there is momentum.
struct EpochMap {
  let samples: LeastSquaresSamples
  let batch: Int
  let form: MomentumForm
  let rate: Double
  /// Steps of a pass; the last batch has what is left, where it is not dropped.
  let steps: Int
  /// Steps until the middle of a pass, at least one.
  let middle: Int
  /// Errors, and velocities beside them.
  let order: Int

  private var momentum: Double { form.momentum }

  init(
    _ samples: LeastSquaresSamples, batch: Int, form: MomentumForm, rate: Double,
    dropsLast: Bool = false
  ) {
    precondition(batch >= 1 && batch <= samples.count, "no such batch")
    self.samples = samples
    self.batch = batch
    self.form = form
    self.rate = rate
    steps = dropsLast ? samples.count / batch : (samples.count + batch - 1) / batch
    middle = max(1, steps / 2)
    order = samples.dimension * (form.momentum == 0 ? 1 : 2)
  }

  /// Multiplications of one pass.
  var work: Double {
    let width = Double(order + 1)
    let k = Double(samples.dimension)
    return 2 * Double(samples.residuals.count) * k * width
      + Double(steps) * k * width * (samples.penalty == nil ? 3 : 3 + k)
  }

  /// Runs one pass.
  ///
  /// - Parameters:
  ///   - errors: where `k` rows of `order + 1` columns are written, the last column the affine part.
  ///   - velocities: the same of the velocities; unused without momentum.
  ///   - gradient: as large, to work in.
  ///   - isMiddle: called at the middle of the pass.
  func run(
    _ permutation: [Int], _ errors: UnsafeMutablePointer<Double>,
    _ velocities: UnsafeMutablePointer<Double>, _ gradient: UnsafeMutablePointer<Double>,
    isMiddle: () -> Void
  ) {
    let (k, perSample) = (samples.dimension, samples.rowsPerSample)
    let width = order + 1
    for index in 0..<k * width {
      errors[index] = index / width == index % width ? 1 : 0
      velocities[index] = index / width + k == index % width && momentum != 0 ? 1 : 0
    }
    let storage = UnsafeMutablePointer<Double>.allocate(capacity: width * (k + 1))
    defer { storage.deallocate() }
    let image = storage + k * width
    // Where gradients are taken.
    let points = form.looksAhead ? storage : errors
    samples.rows.withUnsafeBufferPointer { rows in
      for step in 0..<steps {
        let chosen = permutation[step * batch..<min(samples.count, (step + 1) * batch)]
        if form.looksAhead {
          for index in 0..<k * width {
            points[index] = errors[index] - rate * momentum * velocities[index]
          }
        }
        fillGradient(gradient, points)
        let share = 1 / Double(chosen.count)
        for index in 0..<chosen.count * perSample {
          let (place, rest) = index.quotientAndRemainder(dividingBy: perSample)
          let number = chosen[chosen.startIndex + place] * perSample + rest
          let row = rows.baseAddress! + number * k
          image.initialize(repeating: 0, count: width)
          image[width - 1] = samples.residuals[number]
          for a in 0..<k {
            let (x, line) = (row[a], points + a * width)
            for c in 0..<width { image[c] += x * line[c] }
          }
          for a in 0..<k {
            let (x, line) = (share * row[a], gradient + a * width)
            for c in 0..<width { line[c] += x * image[c] }
          }
        }
        if momentum == 0 {
          for index in 0..<k * width { errors[index] -= rate * gradient[index] }
        } else {
          for index in 0..<k * width {
            velocities[index] = momentum * velocities[index] + gradient[index]
            errors[index] -= rate * velocities[index]
          }
        }
        if step + 1 == middle { isMiddle() }
      }
    }
  }

  /// The penalty's part of the gradient, `D e + p`.
  private func fillGradient(
    _ gradient: UnsafeMutablePointer<Double>, _ errors: UnsafeMutablePointer<Double>
  ) {
    let k = samples.dimension
    let width = order + 1
    gradient.initialize(repeating: 0, count: k * width)
    guard let penalty = samples.penalty else { return }
    for a in 0..<k {
      let line = gradient + a * width
      for b in 0..<k {
        let (x, other) = (penalty[b * k + a], errors + b * width)
        for c in 0..<width { line[c] += x * other[c] }
      }
      line[width - 1] += samples.pull[a]
    }
  }
}

extension EpochMap {
  /// An order of the samples for every way to part them into the batches of a pass; nil where there are more
  /// than so many ways.
  func allOrders(upTo most: Int) -> [[Int]]? {
    let n = samples.count
    // n! over the factorials of the batches' sizes, and of what is left.
    func logFactorial(_ n: Int) -> Double { (0..<n).reduce(0) { $0 + log(Double($1 + 1)) } }
    var logarithm = logFactorial(n)
    var left = n
    for _ in 0..<steps {
      logarithm -= logFactorial(min(batch, left))
      left -= min(batch, left)
    }
    logarithm -= logFactorial(left)
    guard logarithm <= log(Double(most)) + 1e-9 else { return nil }
    var orders = [(chosen: [Int](), left: Array(0..<n))]
    for _ in 0..<steps {
      orders = orders.flatMap { order in
        Self.subsets(of: order.left, size: min(batch, order.left.count)).map { part in
          (order.chosen + part, order.left.filter { !part.contains($0) })
        }
      }
    }
    return orders.map { $0.chosen + $0.left }
  }

  /// All parts of a list that have so many members, in its order.
  private static func subsets(of list: [Int], size: Int) -> [[Int]] {
    if size == 0 { return [[]] }
    if size == list.count { return [list] }
    let rest = Array(list.dropFirst())
    return subsets(of: rest, size: size - 1).map { [list[0]] + $0 } + subsets(of: rest, size: size)
  }
}
