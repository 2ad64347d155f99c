import LinearMaps

/// One random matrix solved by `TopEigenpairs` and held against LAPACK's dense answer.
///
/// Block sizes 1 to 4, with and without restarts, float32 and float64 take turns with the index.
public struct SpectrumAudit: Sendable {
  public let label: String
  /// One sentence for each promise that was broken.
  public private(set) var violations: [String] = []
  public private(set) var isConverged = false
  public private(set) var products = 0

  public init(index: Int, largest: Int = 400) throws {
    let spectrum = RandomSpectrum(index: index, largest: largest)
    // The families repeat every eight matrices; what varies here must not repeat with them.
    let turn = index / RandomSpectrum.Family.allCases.count
    let blockSize = 1 + turn % 4
    let isRestarted = turn / 4 % 2 == 1
    let isSingle = turn / 8 % 2 == 1
    let count = min(1 + turn / 16 % 4, spectrum.dimension / 2)
    label =
      "matrix \(index) (\(spectrum.family), \(spectrum.dimension) rows, block \(blockSize), "
      + "\(isRestarted ? "restarted" : "not restarted"), \(isSingle ? "float32" : "float64"), "
      + "\(count) pairs)"
    if isSingle {
      var options = TopEigenpairs<Float>.Options()
      options.tolerance = 3e-5
      try audit(spectrum, &options, blockSize, isRestarted, count, seed: index)
    } else {
      var options = TopEigenpairs<Double>.Options()
      options.tolerance = 1e-9
      try audit(spectrum, &options, blockSize, isRestarted, count, seed: index)
    }
  }

  private mutating func audit<Scalar: LinearMapScalar>(
    _ spectrum: RandomSpectrum, _ options: inout TopEigenpairs<Scalar>.Options, _ blockSize: Int,
    _ isRestarted: Bool, _ count: Int, seed: Int
  ) throws {
    let n = spectrum.dimension
    let entries = spectrum.matrix.map { Scalar($0) }
    let truth = try SymmetricEigensystem(
      columnMajor: entries.map { Double($0) }, dimension: n, withVectors: false
    ).values
    options.end = .both
    options.seed = UInt64(seed)
    options.count = count
    options.blockSize = blockSize
    options.maxBasisColumns = isRestarted ? 2 * count + 5 * blockSize + seed % 20 : nil
    // Often too few to finish: the promises hold at any time.
    options.maxApplications = [10, 40, 200, 1000][seed / 3 % 4]
    let map = DenseSymmetricMap(columnMajor: entries, dimension: n)
    let top = try TopEigenpairs(of: map, options: options)
    isConverged = top.convergence.isConverged
    products = top.convergence.operatorApplications

    // The dense reference rounds as well.
    let slack = Double(n) * Double.ulpOfOne * max(abs(truth[0]), abs(truth[n - 1]))
    check(top.upperBound.map { $0 >= truth[n - 1] - slack } ?? false) {
      "upper bound \(top.upperBound as Any) below \(truth[n - 1])"
    }
    check(top.lowerBound.map { $0 <= truth[0] + slack } ?? false) {
      "lower bound \(top.lowerBound as Any) above \(truth[0])"
    }
    for pair in top.largest + top.smallest {
      let nearest = truth.map { abs($0 - pair.value) }.min()!
      check(nearest <= pair.residual + slack) {
        "\(pair.value) is \(nearest) from an eigenvalue, its residual \(pair.residual)"
      }
    }
    guard isConverged else { return }
    check(top.largest.count == count && top.smallest.count == count) { "pairs are missing" }
    // One of several eigenvalues close together may be told from the outermost by the bound only.
    for i in 0..<(spectrum.copies > 1 ? min(count, blockSize, spectrum.copies) : 0) {
      let (high, low) = (top.largest[i], top.smallest[i])
      check(abs(high.value - truth[n - 1 - i]) <= high.residual + slack) {
        "copy \(i + 1) of \(truth[n - 1]) missed: \(high.value)"
      }
      check(abs(low.value - truth[i]) <= low.residual + slack) {
        "copy \(i + 1) of \(truth[0]) missed: \(low.value)"
      }
    }
    try checkPairs(top.largest, map)
    try checkPairs(top.smallest, map)
  }

  /// Sorted from the end inwards, orthonormal, and no worse than they say.
  private mutating func checkPairs<Scalar: LinearMapScalar>(
    _ pairs: [Eigenpair<Scalar>], _ map: DenseSymmetricMap<Scalar>
  ) throws {
    let n = map.dimension
    for (i, pair) in pairs.enumerated() {
      if i > 0 {
        let inwards = (pairs[0].value - pair.value) - (pairs[0].value - pairs[i - 1].value)
        check(inwards * (pairs[0].value - pairs[pairs.count - 1].value) >= 0) { "not sorted" }
      }
      for j in 0...i {
        let product = Scalar.dot(n, pair.vector, pairs[j].vector) - (i == j ? 1 : 0)
        check(abs(product) <= 100 * Double(Scalar.ulpOfOne)) {
          "vectors \(i) and \(j) are off orthonormal by \(product)"
        }
      }
      let measured = try pair.measuredResidual(of: map)
      let slack = Double(n) * Double.ulpOfOne * abs(pair.value)
      check(measured <= pair.residual + slack) {
        "measured residual \(measured) above the stated \(pair.residual)"
      }
    }
  }

  private mutating func check(_ holds: Bool, _ sentence: () -> String) {
    if !holds { violations.append(sentence()) }
  }
}
