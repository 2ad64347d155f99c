import Curvature
import LinearMaps

/// What stands in for the rows of a table under least squares: as many rows as columns, with the same loss.
///
/// The loss `1/(2n) ||X w + b - y||^2` depends on the rows only through `A'A` of `A = [X 1 y]`, hence through
/// any `R` with `R'R = A'A`: one row per column of `[X 1]` and one for what they leave of `y`. Loss,
/// gradient, Hessian and every run on all samples are the same functions of the parameters.
///
/// `A'A` is summed as if in twice the precision (`MomentMatrix`), so that its entries are off by about
/// `n 2^-104` of their size. A column that the others make up to less than that counts as dependent on
/// them; between that and `leastIndependence` nothing can be told, and the rows stay.
struct CompressedRows: Sendable {
  /// Rows that these stand for.
  let sampleCount: Int
  /// Row-major, as many rows as `bias` has.
  var features: [DoubleDouble]
  /// What the bias is multiplied by in each row, in place of 1.
  let bias: [DoubleDouble]
  let scaling: FeatureScaling
  /// Of all rows; nil where the target has no scale.
  let targetScaling: TargetScaling?
  let groups: RowGroups

  /// The squared distance of a column from the span of the others, relative to its squared length, from
  /// which on it is told to better than a hundredth.
  static let leastIndependence = 1e-23
  /// Tables of more columns are worked on row by row.
  static let mostColumns = 150
  /// Rows times squared columns below which the rows themselves are quick to work on.
  static let leastWork = 2e6
}

/// Sums of squares and products over random groups of rows, for the error of a sample.
struct RowGroups: Sendable {
  /// Of each group of rows `A'A`, row-major upper triangle, columns multiplied by `units`.
  var sums: [[Double]]
  var sizes: [Int]
  /// Powers of two.
  var units: [Double]

  /// Groups, as many as samples are cut into to look at the tail of their curvatures.
  static let count = 200
}

extension TabularProblem {
  /// The problem on compressed rows; nil where it is no quadratic, where the rows are few, or where columns
  /// depend on each other so nearly that rounding decides.
  ///
  /// Cost: `n d^2` products, each with its rounding error.
  func compressed(seed: UInt64) -> TabularProblem? {
    let (n, d) = (sampleCount, featureCount)
    guard model == .linear, hasIntercept, isQuadratic, compression == nil,
      case .numeric(let target) = target,
      d <= CompressedRows.mostColumns, n >= 4 * (d + 2),
      Double(n) * Double(d + 2) * Double(d + 2) >= CompressedRows.leastWork
    else { return nil }
    let scaling = FeatureScaling(self)
    let peaks = scaling.peaks + [1, target.reduce(0) { max($0, abs($1)) }]
    guard peaks.allSatisfy({ $0 == 0 || $0 < 1e140 && $0 > 1e-140 }) else { return nil }
    let units = peaks.map {
      $0 > 0 ? Double(sign: .plus, exponent: -$0.exponent - 1, significand: 1) : 1
    }
    let (moments, groups) = moments(target, units: units, seed: seed)
    guard let rows = Self.triangle(moments, samples: n) else { return nil }
    // Whether a column depends on others or nearly does, the rows themselves tell where they can be asked.
    let isFullRank = rows.count == d + 2
    guard isFullRank || !LeastSquaresModes.affords(rows: n, columns: d + 1) else { return nil }
    // The loss is a mean over the rows there are.
    let weight = (DoubleDouble(Double(rows.count)) / DoubleDouble(Double(n))).squareRoot()
    func column(_ index: Int) -> [DoubleDouble] {
      rows.map { $0[index] * weight / DoubleDouble(units[index]) }
    }
    let columns = (0..<d + 2).map(column)
    var result = self
    let features = rows.indices.flatMap { row in (0..<d).map { columns[$0][row] } }
    result.features = features.map(\.value)
    result.target = .numeric(columns[d + 1].map(\.value))
    result.compression = CompressedRows(
      sampleCount: n, features: features, bias: columns[d], scaling: scaling,
      targetScaling: TargetScaling(target, lossName: loss.name, weight: lossWeight), groups: groups)
    return result
  }

  /// `A'A` of `A = [X 1 y]` with columns in these units, and that of random groups.
  private func moments(
    _ target: [Double], units: [Double], seed: UInt64
  ) -> (MomentMatrix, RowGroups) {
    let (n, d) = (sampleCount, featureCount)
    var generator = SeededGenerator(seed: seed)
    let order = (0..<UInt32(n)).shuffled(using: &generator)
    var moments = MomentMatrix(columns: d + 2)
    var groups = RowGroups(sums: [], sizes: [], units: units)
    let height = MomentMatrix.blockRows
    var block = [Double](repeating: 0, count: (d + 2) * height)
    for group in 0..<RowGroups.count {
      let range = group * n / RowGroups.count..<(group + 1) * n / RowGroups.count
      var sums = [Double](repeating: 0, count: (d + 2) * (d + 2))
      for start in stride(from: range.lowerBound, to: range.upperBound, by: height) {
        let count = min(height, range.upperBound - start)
        if count < height { block = [Double](repeating: 0, count: block.count) }
        for place in 0..<count {
          let row = Int(order[start + place])
          for column in 0..<d {
            block[column * height + place] = features[row * d + column] * units[column]
          }
          block[d * height + place] = units[d]
          block[(d + 1) * height + place] = target[row] * units[d + 1]
        }
        moments.add(block, into: &sums)
      }
      groups.sums.append(sums)
      groups.sizes.append(range.count)
    }
    return (moments, groups)
  }

  /// The rows of `R` by Cholesky's method with pivoting, down to the rank of all columns but the last.
  private static func triangle(_ moments: MomentMatrix, samples: Int) -> [[DoubleDouble]]? {
    let size = moments.columns
    let dependent = Double(samples) * 0x1p-104
    var a = (0..<size).map { row in (0..<size).map { moments[row, $0] } }
    let squares = (0..<size).map { moments[$0, $0].hi }
    var remaining = Array(0..<size - 1)
    var rows: [[DoubleDouble]] = []
    while let best = remaining.indices.filter({
      a[remaining[$0]][remaining[$0]].hi > dependent * squares[remaining[$0]]
    }).max(by: { a[remaining[$0]][remaining[$0]].hi < a[remaining[$1]][remaining[$1]].hi }) {
      let pivot = remaining.remove(at: best)
      guard a[pivot][pivot].hi > CompressedRows.leastIndependence * squares[pivot] else {
        return nil
      }
      let diagonal = a[pivot][pivot].squareRoot()
      var row = [DoubleDouble](repeating: .zero, count: size)
      row[pivot] = diagonal
      let others = remaining + [size - 1]
      for column in others { row[column] = a[pivot][column] / diagonal }
      for i in others {
        for j in others { a[i][j] -= row[i] * row[j] }
      }
      rows.append(row)
    }
    var last = [DoubleDouble](repeating: .zero, count: size)
    last[size - 1] = a[size - 1][size - 1].squareRoot()
    return rows + [last]
  }
}

extension TabularProblem {
  /// What the largest eigenvalue would be on a larger sample, of a compressed table.
  ///
  /// - Throws: what `TopEigenpairs` throws.
  func samplingError(
    _ groups: RowGroups, options: TopEigenpairs<Double>.Options
  ) throws -> SamplingError {
    let size = featureCount + 1
    let scale = (loss.name == ModelLoss.meanSquaredError.name ? 2.0 : 1) * lossWeight
    // The Hessian of the mean over a range of groups, column-major.
    func hessian(_ range: Range<Int>) -> (columns: [Double], rows: Int) {
      let rows = groups.sizes[range].reduce(0, +)
      var columns = [Double](repeating: 0, count: size * size)
      for i in 0..<size {
        for j in i..<size {
          let sum = groups.sums[range].reduce(0) { $0 + $1[i * (size + 1) + j] }
          let entry = scale * sum / Double(rows) / groups.units[i] / groups.units[j]
          columns[i * size + j] = entry
          columns[j * size + i] = entry
        }
        if i < featureCount { columns[i * size + i] += l2 * (penaltyScales?[i] ?? 1) }
      }
      return (columns, rows)
    }
    let width = RowGroups.count / 10
    let tenths = (0..<10).map { hessian($0 * width..<($0 + 1) * width) }
    return try SamplingError.eigenvalue(
      .largest, of: tenths.map { DenseSymmetricMap(columnMajor: $0.columns, dimension: size) },
      sizes: tenths.map(\.rows), options: options
    ) { u in
      let squared = Double.dot(size, u, u)
      let parts = try (0..<RowGroups.count).map { group in
        let (columns, rows) = hessian(group..<group + 1)
        let product = try DenseSymmetricMap(columnMajor: columns, dimension: size)(u)
        return (Double.dot(size, u, product) / squared, rows)
      }
      return (parts.map(\.0), parts.map(\.1))
    }
  }
}
