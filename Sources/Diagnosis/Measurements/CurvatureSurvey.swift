import Curvature
import LinearMaps
import TensorPrograms
import Training

/// The curvature at a point, as far as it was affordable to measure it.
struct CurvatureSurvey<Scalar: LinearMapScalar> {
  var largest: Double
  var largestResidual: Double
  var upperBound: Double
  var failureProbability: Double
  var smallest: Double
  var smallestResidual: Double
  var smallestPositive: DiagnosisReport.Eigenvalue?
  /// Eigenvalues within this of zero count as zero; 0 where `modes` tell exactly which are.
  var zeroThreshold: Double
  /// What the rounding of Hessian products does not let tell from zero.
  var rounding: Double
  /// Known eigenvalues, sharpest first: all of them after a dense solve, else the outermost.
  var eigenvalues: [Double]
  /// How many of all eigenvalues count as zero; nil without a dense solve.
  var flatCount: Int?
  /// The loss as descent sees it, from the gradient's spectral measure.
  var model: QuadraticModel
  /// The eigenvector of the largest eigenvalue.
  var sharpest: [Scalar]
  var operatorApplications: Int
  /// Whether the spectral measure had too few products to tell how flat the flat directions are.
  var isMeasureCoarse = false
  var dense: SymmetricEigensystem?
  /// The diagonal, where the matrix was written out.
  var diagonal: [Double]?
  /// The quadratic from the table itself, where the model is linear in its parameters.
  var modes: LeastSquaresModes?
  /// Whether float64 solved the spectrum, of which the products in this precision leave the flat end open.
  var isResolved = false

  /// Problems of at most this many parameters get a dense solve.
  static var denseLimit: Int { 3000 }

  /// Curvature below this counts as zero: the rates that it would allow overflow.
  static var leastCurvature: Double { 8 / Double(Scalar.greatestFiniteMagnitude) }
}

extension CurvatureSurvey {
  /// Vectors of the map's size that fit into half the memory.
  private static func affordable(_ n: Int, memory: Int) -> Int {
    max(20, memory / (n * MemoryLayout<Scalar>.stride) / 2)
  }

  /// How the outermost eigenvalues are looked for: the largest alone where a dense solve follows.
  static func options(
    _ n: Int, seed: Int, isDense: Bool, products: Int, memory: Int
  ) -> TopEigenpairs<Scalar>.Options {
    var options = TopEigenpairs<Scalar>.Options()
    options.seed = Resources.probeSeed(seed)
    options.end = isDense ? .largest : .both
    options.tolerance = Scalar.precisionName == "float64" ? 1e-10 : 1e-5
    options.maxApplications = min(n, products, affordable(n, memory: memory))
    return options
  }

  /// Measures a map at a point with this gradient.
  ///
  /// - Parameters:
  ///   - memory: bytes that Krylov bases may take.
  ///   - products: the most that the search for the outermost eigenvalues may make, and the gradient's
  ///     spectral measure.
  ///   - known: what `options` lead to, where it is known already.
  init<Map: LinearMap<Scalar>>(
    of map: Map, gradient: [Scalar], seed: Int, denseLimit: Int = Self.denseLimit,
    memory: Int = 1 << 30, products: (ends: Int, measure: Int) = (300, 150),
    top known: TopEigenpairs<Scalar>? = nil
  ) throws {
    let n = map.dimension
    let options = Self.options(
      n, seed: seed, isDense: n <= denseLimit, products: products.ends, memory: memory)
    let affordable = Self.affordable(n, memory: memory)
    let top = try known ?? TopEigenpairs<Scalar>(of: map, options: options)
    let pair = top.largest[0]
    largest = pair.value
    largestResidual = pair.residual
    upperBound = top.upperBound ?? pair.value + pair.residual
    failureProbability = top.failureProbability
    sharpest = pair.vector
    operatorApplications = top.convergence.operatorApplications

    if n <= denseLimit {
      let matrix = try assembleDense(map)
      let system = try SymmetricEigensystem(columnMajor: matrix.columns, dimension: n)
      operatorApplications += matrix.operatorApplications
      let scale = max(abs(system.values[0]), abs(system.values[n - 1]))
      let rounding = max(
        Double(n) * Double.ulpOfOne, matrix.asymmetry / max(scale, .leastNonzeroMagnitude),
        Scalar.precisionName == "float64" ? 0 : 8 * Double(Scalar.ulpOfOne))
      let threshold = rounding * scale
      let values = system.values
      largest = values[n - 1]
      largestResidual = Self.residual(matrix, system, n - 1) + threshold
      upperBound = max(upperBound, largest + threshold)
      failureProbability = 0
      smallest = values[0]
      smallestResidual = Self.residual(matrix, system, 0) + threshold
      zeroThreshold = max(threshold, Self.leastCurvature)
      self.rounding = zeroThreshold
      if let index = values.firstIndex(where: { [zeroThreshold] in $0 > zeroThreshold }) {
        smallestPositive = .init(
          value: values[index], residual: Self.residual(matrix, system, index) + threshold)
      }
      eigenvalues = values.reversed()
      flatCount = values.count { [zeroThreshold] in abs($0) <= zeroThreshold }
      let measure = SpectralMeasure(of: system, from: gradient.map(Double.init))
      model = try QuadraticModel(measure, zeroThreshold: zeroThreshold)
      sharpest = system.vector(n - 1).map { Scalar($0) }
      dense = system
      diagonal = (0..<n).map { matrix.columns[$0 * n + $0] }
      return
    }

    smallest = top.smallest[0].value
    smallestResidual = top.smallest[0].residual
    zeroThreshold = max(
      Double(n) * Double.ulpOfOne * top.scale, top.rounding, Self.leastCurvature)
    rounding = zeroThreshold
    eigenvalues = [largest, smallest]
    let limit = min(n, products.measure, affordable)
    let measure = try SpectralMeasure(of: map, from: gradient, maxApplications: limit)
    isMeasureCoarse = measure.operatorApplications == limit && limit < min(n, 60)
    operatorApplications += measure.operatorApplications
    model = try QuadraticModel(measure, zeroThreshold: zeroThreshold)
  }

  private static func residual(
    _ matrix: DenseAssembly, _ system: SymmetricEigensystem, _ index: Int
  ) -> Double {
    let n = matrix.dimension
    let vector = system.vector(index)
    var product = [Double](repeating: 0, count: n)
    Double.gemv(
      transposed: false, rows: n, columns: n, alpha: 1, matrix.columns, lda: n, vector, beta: 0,
      &product)
    Double.axpy(n, -system.values[index], vector, &product)
    return Double.nrm2(n, product)
  }

  /// Takes the eigenvalues and slopes from the table itself, in place of those of the Hessian in floating
  /// point, whose small ones are rounding.
  mutating func adopt(_ exact: LeastSquaresModes) {
    guard let sharpestMode = exact.modes.first, sharpestMode.eigenvalue > Self.leastCurvature,
      let flattest = exact.modes.last, (sharpestMode.eigenvalue / flattest.eigenvalue).isFinite
    else {
      return
    }
    let precision = 4 * Double.ulpOfOne
    modes = exact
    eigenvalues = exact.eigenvalues
    largest = sharpestMode.eigenvalue
    upperBound = max(upperBound, largest * (1 + precision))
    largestResidual = min(largestResidual, rounding)
    sharpest = sharpestMode.vector.map { Scalar($0) }
    flatCount = exact.columnCount - exact.rank
    smallest = flatCount == 0 ? flattest.eigenvalue : 0
    smallestResidual = precision * smallest
    smallestPositive = .init(
      value: flattest.eigenvalue, residual: precision * flattest.eigenvalue)
    zeroThreshold = 0
    isMeasureCoarse = false
    model = QuadraticModel(exact)
  }

  var curvature: LearningRateFacts.Curvature {
    LearningRateFacts.Curvature(
      largest: largest, upperBound: upperBound, smallest: smallest,
      smallestPositive: smallestPositive?.value, zeroThreshold: zeroThreshold,
      smallestUncertainty: dense == nil && modes == nil ? smallestResidual : 0)
  }

  /// The smallest eigenvalue that matters to a thousand steps of descent at `1 / upperBound`.
  var effectiveSmallest: Double? {
    largest > zeroThreshold && !isMeasureCoarse
      ? model.effectiveSmallest(rate: 1 / upperBound) : nil
  }

  /// Whether slopes along directions that the arithmetic takes for flat may hold more of the loss than
  /// the tolerance leaves: there neither a count of steps nor a round bowl can be vouched for.
  ///
  /// A slope `w` within the threshold `tau` can gain `w / (2 tau)` or more; what rounding makes of no
  /// slope at all is left out.
  func hidesGains(tolerance: Double) -> Bool {
    !curvature.isIndefinite
      && model.hidesGains(
        tolerance * model.initialGap,
        precision: isResolved ? Double.ulpOfOne : Double(Scalar.ulpOfOne))
  }

  /// Whether Hessian products take directions for flat that hold more of the loss than the tolerance
  /// leaves, so that a course followed by them cannot be vouched for.
  func isBlindToGains(tolerance: Double) -> Bool {
    guard let modes else {
      guard isResolved else { return hidesGains(tolerance: tolerance) }
      let unseen = model.reachable.reduce(0) {
        $1.eigenvalue <= rounding ? $0 + $1.weight / (2 * $1.eigenvalue) : $0
      }
      return hidesGains(tolerance: tolerance) || unseen > tolerance * model.initialGap
    }
    let unseen = modes.modes.reduce(0) { $1.eigenvalue <= rounding ? $0 + $1.gap : $0 }
    return unseen > tolerance * modes.initialGap
  }

  /// The relative rounding that limits which eigenvalues are known; none where the table tells them.
  var resolution: Double {
    modes == nil ? isResolved ? Double.ulpOfOne : Double(Scalar.ulpOfOne) : 0
  }

  var effectiveConditionNumber: Double? {
    effectiveSmallest.flatMap { LearningRateFacts.Curvature.conditionNumber(largest, $0) }
  }

  /// `largest / smallest positive`: the spread that descent meets on a singular, convex loss.
  var positiveConditionNumber: Double? {
    guard !curvature.isIndefinite, let smallest = smallestPositive?.value else { return nil }
    return LearningRateFacts.Curvature.conditionNumber(largest, smallest)
  }

  /// The condition number that says most: of all directions, else of the positive ones, else of those
  /// that descent reaches.
  var workingConditionNumber: Double? {
    curvature.conditionNumber ?? positiveConditionNumber ?? effectiveConditionNumber
  }

  /// The names of the parameters that carry most of the sharpest direction.
  func sharpestParameters(_ problem: DiagnosisProblem, limit: Int = 3) -> [String] {
    let total = sharpest.reduce(0.0) { $0 + Double($1 * $1) }
    var names: [String] = []
    for index in sharpest.indices.sorted(by: { abs(sharpest[$0]) > abs(sharpest[$1]) })
      .prefix(50)
    where Double(sharpest[index] * sharpest[index]) > 0.05 * total {
      let name = problem.parameterName(index)
      if !names.contains(name) { names.append(name) }
    }
    return Array(names.prefix(limit))
  }
}
