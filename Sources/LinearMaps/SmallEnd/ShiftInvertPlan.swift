import Presentation

/// What flattening the top of the spectrum would bring to shift-and-invert, by the Ritz values.
struct ShiftInvertPlan {
  /// Columns of the sketch to take; 0 for none.
  let sketch: Int
  /// Top Ritz pairs of the Lanczos basis that serve instead, at no product.
  let harvest: Int
  /// The part of the work of unpreconditioned solves that is left, a sketch included.
  let share: Double

  /// Below one half, what a Chebyshev filter (which costs what plain solves do) cannot match.
  var isWorthwhile: Bool { share < 0.5 }

  init<Scalar: LinearMapScalar>(
    _ end: LanczosSmallEnd<Scalar>, dimension n: Int, lastBeta: Double,
    isBasisLong: Bool, options: SmallestEigenpairs<Scalar>.Options
  ) {
    let values = end.ritz.values
    let k = values.count
    let lowest = values[0]
    let top = end.upperBound - lowest
    // The gap that the solves must resolve is not known; the residual says how blurred it is yet.
    let spread = min(values[min(options.count, k - 1)] - lowest, end.residual)
    let gap = max(spread, options.tolerance * end.scale, end.resolution)
    // Conjugate gradients: some four times the root of the condition number.
    func work(_ tail: Double) -> Double { 4 * (max(tail, gap) / gap).squareRoot() }
    if let columns = options.sketchColumns {
      (sketch, harvest) = (min(columns, n), 0)
      let tail = columns == 0 ? top : end.eigenvalue(rank: columns, dimension: n) - lowest
      share = (Double(columns) + work(tail)) / work(top)
    } else if isBasisLong {
      let known = (0..<k / 2).prefix {
        lastBeta * abs(end.ritz.last[k - 1 - $0]) <= 0.1 * (values[k - 1 - $0] - lowest)
      }
      (sketch, harvest) = (0, known.count)
      share = known.isEmpty ? 1 : work(values[k - known.count] - lowest) / work(top)
    } else {
      var (best, cost) = (0, work(top))
      for columns in sequence(first: 4, next: { 2 * $0 }).prefix(while: { $0 <= n / 4 }) {
        let total =
          Double(columns) + work(end.eigenvalue(rank: columns, dimension: n) - lowest)
        if total < cost { (best, cost) = (columns, total) }
      }
      (sketch, harvest) = (best, 0)
      share = cost / work(top)
    }
  }

  var sentence: String {
    let by = harvest > 0 ? "its \(harvest) top Ritz pairs" : "a sketch of \(sketch) columns"
    return
      "shift-and-invert, for which \(by) leave \(Wording.short(100 * share)) % of the work of plain "
      + "solves, finishes."
  }
}
