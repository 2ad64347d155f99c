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

  init(_ problem: TabularProblem) {
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

  /// The problem in standardised features; for a model that is linear in its parameters the penalty is
  /// carried over, so that the objective stays the same function.
  func applied(to problem: TabularProblem) -> TabularProblem {
    var result = problem
    let d = problem.featureCount
    for index in result.features.indices {
      let column = index % d
      result.features[index] = (problem.features[index] - means[column]) / deviations[column]
    }
    if problem.isLinearInParameters, problem.l2 > 0 {
      result.penaltyScales = deviations.map { 1 / ($0 * $0) }
    }
    return result
  }

  /// The standardised features without the rounding of a double.
  func exactly(_ problem: TabularProblem) -> [DoubleDouble] {
    let d = problem.featureCount
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

  /// Columns whose size is ten times off the middle one's, largest first, and the smallest of the
  /// others, to compare them with; a bias counts as a column of ones. Where none is, those ten times
  /// off the bias; nil where all sizes agree.
  var culprits: (guilty: [Int], innocent: Int?)? {
    let order = sizes.indices.filter { sizes[$0] > 0 }.sorted { sizes[$0] > sizes[$1] }
    guard !order.isEmpty else { return nil }
    func farFrom(_ size: Double) -> [Int] {
      order.filter { sizes[$0] >= 10 * size || sizes[$0] <= size / 10 }
    }
    // Without a bias there is only the columns' own middle.
    let withBias = (order.map { sizes[$0] } + (isCentred ? [1] : [])).sorted(by: >)
    let guilty = farFrom(withBias[withBias.count / 2])
    if !guilty.isEmpty { return (guilty, order.last { !guilty.contains($0) }) }
    let offBias = isCentred ? farFrom(1) : []
    return offBias.isEmpty ? nil : (offBias, nil)
  }
}
