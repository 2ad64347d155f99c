import LinearMaps

/// The mean and population standard deviation of every column, and the change of variables that
/// standardises them: `x' = (x - mean) / deviation`; without a bias, which alone can take up a mean,
/// `x' = x / size`.
struct FeatureScaling {
  /// Whether the model has a bias, so that columns may be centred.
  let isCentred: Bool
  let means: [Double]
  /// 1 for a column that does not vary, which is only centred.
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
    // A column whose spread is rounding of its mean is constant.
    let constant = (0..<d).filter { spread[$0] * units[$0] <= 1e-14 * peaks[$0] }
    self.peaks = peaks
    self.means = (0..<d).map { means[$0] * units[$0] }
    isCentred = problem.definition.parameters.contains(where: \.isBias)
    // Without a bias, the same number in every row is a column like others.
    constantColumns = isCentred ? constant : []
    deviations = (0..<d).map { constant.contains($0) ? 1 : spread[$0] * units[$0] }
    sizes = (0..<d).map {
      (means[$0] * means[$0] + spread[$0] * spread[$0]).squareRoot() * units[$0]
    }
  }

  /// What is subtracted from a column, and what it is divided by.
  private func change(of column: Int) -> (shift: Double, divisor: Double) {
    if isCentred { return (means[column], deviations[column]) }
    return (0, sizes[column] > 0 ? sizes[column] : 1)
  }

  /// Whether the change of variables would change nothing.
  var isStandard: Bool {
    sizes.indices.allSatisfy { column in
      let (shift, divisor) = change(of: column)
      return constantColumns.contains(column) || abs(shift) < 1e-6 && abs(divisor - 1) < 1e-6
    }
  }

  /// The change in words.
  var phrase: String {
    isCentred
      ? "subtract each column's mean and divide by its standard deviation"
      : "divide each column by its root mean square"
  }

  /// The problem in standardised features; for a model that is linear in its parameters the penalty is
  /// carried over, so that the objective stays the same function.
  func applied(to problem: TabularProblem) -> TabularProblem {
    var result = problem
    let d = problem.featureCount
    let changes = sizes.indices.map(change(of:))
    for index in result.features.indices {
      let (shift, divisor) = changes[index % d]
      result.features[index] = (problem.features[index] - shift) / divisor
    }
    if problem.isLinearInParameters, problem.l2 > 0 {
      result.penaltyScales = changes.map { 1 / ($0.divisor * $0.divisor) }
    }
    return result
  }

  /// The standardised features without the rounding of a double.
  func exactly(_ problem: TabularProblem) -> [DoubleDouble] {
    let d = problem.featureCount
    let changes = sizes.indices.map(change(of:))
    return problem.features.indices.map { index in
      let (shift, divisor) = changes[index % d]
      return (DoubleDouble(problem.features[index]) - DoubleDouble(shift)) / DoubleDouble(divisor)
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
        let change = change(of: column)
        result[column * outputs + output] = Scalar(weight * change.divisor)
        shift += weight * change.shift
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
        let change = change(of: column)
        let weight = parameters[column * outputs + output] / change.divisor
        result[column * outputs + output] = weight
        shift += weight * change.shift
      }
      if isCentred { result[d * outputs + output] -= shift }
    }
    return result
  }

  /// The largest column, with all that are ten times the middle one's size, largest first, and the
  /// smallest column: the true extremes, to be compared.
  ///
  /// The bias, where there is one, counts as a column of ones. It is the one to compare with, `innocent` nil, where the columns
  /// by themselves are less apart than ten times, or make up less than half of the spread on a logarithmic
  /// scale; nil where all sizes agree.
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
