import Curvature
import LinearMaps
import Presentation
import Training

extension TabularProblem {
  /// The largest eigenvalue at the start of the linear and of the softmax model of the same features.
  ///
  /// With `G = s X'X` for the design `X` and the samples' weight `s`, the linear model's Hessian is `G` (or
  /// `2 G` for the mean squared error) and that of softmax over `K` classes, all equally probable at zero
  /// weights, is `(I/K - 11'/K^2) (x) G`: the largest eigenvalue of the one is `K` times that of the other.
  /// A penalty adds `c` on the weights of each.
  struct BothReadings: Equatable {
    var asNumbers: Double
    var asClasses: Double
  }

  /// Nil where the target could be read in one way only, or products overflow.
  func bothReadings(seed: Int) -> BothReadings? {
    guard let classes = undecidedClasses, classes > 1 else { return nil }
    let mean = loss.name == ModelLoss.meanSquaredError.name ? 2.0 : 1
    guard let numbers = largestEigenvalue(times: mean, seed: seed),
      let asClasses = l2 == 0
        ? numbers / (mean * Double(classes))
        : largestEigenvalue(times: 1 / Double(classes), seed: seed)
    else { return nil }
    return BothReadings(asNumbers: numbers, asClasses: asClasses)
  }

  /// The largest eigenvalue of `factor s X'X + c D`, with `D` 1 at weights and 0 at the bias.
  private func largestEigenvalue(times factor: Double, seed: Int) -> Double? {
    let (n, d) = (sampleCount, featureCount)
    let width = d + (hasIntercept ? 1 : 0)
    let scale = factor * lossWeight / Double(n)
    let map = ClosureMap<Double>(dimension: width) { x, y in
      var outputs = [Double](repeating: hasIntercept ? x[width - 1] : 0, count: n)
      features.withUnsafeBufferPointer { features in
        // Rows of the table are the columns of a matrix stored by columns.
        Double.gemv(
          transposed: true, rows: d, columns: n, alpha: 1, features.baseAddress!, lda: d, x,
          beta: 1, &outputs)
        Double.gemv(
          transposed: false, rows: d, columns: n, alpha: scale, features.baseAddress!, lda: d,
          outputs, beta: 0, y)
      }
      for index in 0..<d { y[index] += l2 * x[index] }
      if hasIntercept { y[width - 1] = scale * outputs.reduce(0, +) }
    }
    var options = TopEigenpairs<Double>.Options()
    options.seed = Resources.probeSeed(seed)
    options.end = .largest
    options.tolerance = 1e-6
    options.maxApplications = min(width, 60)
    guard let value = try? TopEigenpairs<Double>(of: map, options: options).largest[0].value,
      value.isFinite, value > 0
    else { return nil }
    return value
  }
}

extension DiagnosisProblem {
  /// The readings, with what either reading of the target says of the given rate.
  ///
  /// It is said of plain descent and of momentum at the start, whose limits need the sharpness alone.
  func readings(judging training: TrainingSetup, seed: Int) -> [Reading] {
    let ids = ["target-as-classes", "target-as-numbers"]
    guard let rate = training.rate, let rule = training.optimizer.make().stability,
      !rule.isPreconditioned, let place = readings.firstIndex(where: { ids.contains($0.id) }),
      let both = table?.bothReadings(seed: seed),
      let numbers = rule.limit(curvature: both.asNumbers),
      let classes = rule.limit(curvature: both.asClasses)
    else { return readings }
    let limits =
      "the stability limit at the start is \(Wording.number(numbers)) as numbers and "
      + "\(Wording.number(classes)) as classes"
    let given = Wording.number(rate)
    var result = readings
    result[place].sentence +=
      (rate < numbers) != (rate < classes)
      ? " The two readings give opposite verdicts on the rate \(given): \(limits)."
      : " Either way the rate \(given) is \(rate < numbers ? "stable" : "unstable"): \(limits)."
    return result
  }
}
