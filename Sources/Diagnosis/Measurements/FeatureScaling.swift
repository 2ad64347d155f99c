import LinearMaps

/// The mean and population standard deviation of every column, and the change of variables that
/// standardises them: `x' = (x - mean) / deviation`.
///
/// Without a bias, which takes up what centring moves, other features would make another model: columns
/// are then only scaled, each by its root mean square, `x' = x / size`.
struct FeatureScaling {
  /// Whether columns are centred before they are scaled.
  let isCentred: Bool
  /// What is taken from each column: its mean, or 0 where it is only scaled.
  let means: [Double]
  /// What each column is divided by: 1 for one that does not vary and is only centred.
  let deviations: [Double]
  /// Largest absolute values.
  let peaks: [Double]
  /// Root mean squares: the size with which a column enters the model.
  let sizes: [Double]
  let constantColumns: [Int]
  /// Whether the columns were standardised before, over these rows or more.
  let isDone: Bool

  init(_ problem: TabularProblem) {
    if let known = problem.compression?.scaling {
      self = known
      return
    }
    isDone = problem.scaling != nil
    let (n, d) = (problem.sampleCount, problem.featureCount)
    var peaks = [Double](repeating: 0, count: d)
    for index in problem.features.indices {
      peaks[index % d] = max(peaks[index % d], abs(problem.features[index]))
    }
    // In units of a power of two near its peak, no column's squares overflow or vanish.
    let units = peaks.map {
      $0 > 0 ? Double(sign: .plus, exponent: $0.exponent, significand: 1) : 1
    }
    var means = [Double](repeating: 0, count: d)
    var squares = means
    for row in 0..<n {
      for column in 0..<d {
        let value = problem.features[row * d + column] / units[column]
        means[column] += (value - means[column]) / Double(row + 1)
      }
    }
    for row in 0..<n {
      for column in 0..<d {
        let difference = problem.features[row * d + column] / units[column] - means[column]
        squares[column] += difference * difference
      }
    }
    let spread = squares.map { ($0 / Double(n)).squareRoot() }
    let sizes = (0..<d).map {
      (means[$0] * means[$0] + spread[$0] * spread[$0]).squareRoot() * units[$0]
    }
    self.peaks = peaks
    self.sizes = sizes
    isCentred = problem.hasIntercept
    guard isCentred else {
      // The same number in every row is a column like others.
      constantColumns = []
      self.means = [Double](repeating: 0, count: d)
      deviations = sizes.map { $0 > 0 ? $0 : 1 }
      return
    }
    // A column whose spread is rounding of its mean is constant.
    let constant = Set((0..<d).filter { spread[$0] * units[$0] <= 1e-14 * peaks[$0] })
    self.means = (0..<d).map { means[$0] * units[$0] }
    constantColumns = constant.sorted()
    deviations = (0..<d).map { constant.contains($0) ? 1 : spread[$0] * units[$0] }
  }

  /// Whether the change of variables would change nothing.
  var isStandard: Bool {
    isDone
      || sizes.indices.allSatisfy { column in
        constantColumns.contains(column)
          || abs(means[column]) < 1e-6 && abs(deviations[column] - 1) < 1e-6
      }
  }

  /// The change in words.
  var phrase: String {
    isCentred
      ? "subtract each column's mean and divide by its standard deviation"
      : "divide each column by its root mean square (no mean is subtracted, since no bias makes up "
        + "for it)"
  }

  /// The problem in standardised features; for a model that is linear in its parameters the penalty is
  /// carried over, so that the objective stays the same function.
  func applied(to problem: TabularProblem) -> TabularProblem {
    var result = problem
    let d = problem.featureCount
    if problem.compression != nil {
      let exact = exactly(problem)
      result.features = exact.map(\.value)
      result.compression?.features = exact
    } else {
      for index in result.features.indices {
        let column = index % d
        result.features[index] = (problem.features[index] - means[column]) / deviations[column]
      }
    }
    if problem.isLinearInParameters, problem.l2 > 0 {
      result.penaltyScales = deviations.map { 1 / ($0 * $0) }
    }
    return result
  }

  /// The standardised features without the rounding of a double.
  func exactly(_ problem: TabularProblem) -> [DoubleDouble] {
    let d = problem.featureCount
    if let rows = problem.compression {
      return rows.features.indices.map { index in
        let column = index % d
        return (rows.features[index] - DoubleDouble(means[column]) * rows.bias[index / d])
          / DoubleDouble(deviations[column])
      }
    }
    return problem.features.indices.map { index in
      let column = index % d
      return (DoubleDouble(problem.features[index]) - DoubleDouble(means[column]))
        / DoubleDouble(deviations[column])
    }
  }

  /// The parameters of the standardised model that make the same predictions: `W' = s W`,
  /// `b' = b + mean W`.
  func transformed<Scalar: LinearMapScalar>(_ parameters: [Scalar], outputs: Int) -> [Scalar] {
    let d = means.count
    var result = parameters
    for output in 0..<outputs {
      var shift = 0.0
      for column in 0..<d {
        let weight = Double(parameters[column * outputs + output])
        result[column * outputs + output] = Scalar(weight * deviations[column])
        shift += weight * means[column]
      }
      guard isCentred else { continue }
      result[d * outputs + output] = Scalar(Double(parameters[d * outputs + output]) + shift)
    }
    return result
  }

  /// The parameters of the raw model from those of the standardised one: `transformed` turned around.
  func restored(_ parameters: [Double], outputs: Int) -> [Double] {
    let d = means.count
    var result = parameters
    for output in 0..<outputs {
      var shift = 0.0
      for column in 0..<d {
        let weight = parameters[column * outputs + output] / deviations[column]
        result[column * outputs + output] = weight
        shift += weight * means[column]
      }
      if isCentred { result[d * outputs + output] -= shift }
    }
    return result
  }

  /// The largest column, with all that are ten times the middle one's size, largest first, and the
  /// smallest column: the true extremes, to be compared.
  ///
  /// The bias, where there is one, counts as a column of ones. It is the one to compare with, `innocent`
  /// nil, where the columns by themselves are less apart than ten times, or make up less than half of the
  /// spread on a logarithmic scale; nil where all sizes agree.
  var culprits: (guilty: [Int], innocent: Int?)? {
    let order = sizes.indices.filter { sizes[$0] > 0 }.sorted { sizes[$0] > sizes[$1] }
    guard let first = order.first, let last = order.last else { return nil }
    let spread = sizes[first] / sizes[last]
    let spreadWithBias = isCentred ? max(sizes[first], 1) / min(sizes[last], 1) : spread
    // As a quotient: a square may overflow.
    if spread >= 10, spread >= spreadWithBias / spread {
      let withBias = (order.map { sizes[$0] } + (isCentred ? [1] : [])).sorted(by: >)
      let middle = withBias[withBias.count / 2]
      let large = order.dropLast().filter { sizes[$0] >= 10 * middle }
      return (large.isEmpty ? [first] : large, last)
    }
    guard isCentred else { return nil }
    let offBias = order.filter { sizes[$0] >= 10 || sizes[$0] <= 0.1 }
    return offBias.isEmpty ? nil : (offBias, nil)
  }
}
