import LinearMaps

/// One pass over the samples of a least-squares loss in a given order, as the affine map of errors that it
/// is: `e+ = P e + q`, or of errors and velocities where there is momentum.
struct EpochMap {
  let samples: LeastSquaresSamples
  let batch: Int
  let momentum: Double
  let rate: Double
  /// Steps of a pass; the last batch has what is left.
  let steps: Int
  /// Steps until the middle of a pass, at least one.
  let middle: Int
  /// Errors, and velocities beside them.
  let order: Int

  init(_ samples: LeastSquaresSamples, batch: Int, momentum: Double, rate: Double) {
    precondition(batch >= 1 && batch <= samples.count, "no such batch")
    self.samples = samples
    self.batch = batch
    self.momentum = momentum
    self.rate = rate
    steps = (samples.count + batch - 1) / batch
    middle = max(1, steps / 2)
    order = samples.dimension * (momentum == 0 ? 1 : 2)
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
    let image = UnsafeMutablePointer<Double>.allocate(capacity: width)
    defer { image.deallocate() }
    samples.rows.withUnsafeBufferPointer { rows in
      for step in 0..<steps {
        let chosen = permutation[step * batch..<min(samples.count, (step + 1) * batch)]
        fillGradient(gradient, errors)
        let share = 1 / Double(chosen.count)
        for index in 0..<chosen.count * perSample {
          let (place, rest) = index.quotientAndRemainder(dividingBy: perSample)
          let number = chosen[chosen.startIndex + place] * perSample + rest
          let row = rows.baseAddress! + number * k
          image.initialize(repeating: 0, count: width)
          image[width - 1] = samples.residuals[number]
          for a in 0..<k {
            let (x, line) = (row[a], errors + a * width)
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
