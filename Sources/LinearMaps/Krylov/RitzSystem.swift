/// Ritz values, ascending, with the coefficients of their vectors in the basis.
struct RitzSystem {
  let values: [Double]
  /// Column-major, in the order of `values`.
  let vectors: [Double]
  let lastWidth: Int
  let nextWidth: Int
  let coupling: [Double]

  var dimension: Int { values.count }

  func vector(_ index: Int) -> [Double] {
    Array(vectors[index * dimension..<(index + 1) * dimension])
  }

  /// `C s`: the residual of a Ritz pair, in the basis of the next block.
  func couplings(_ index: Int) -> [Double] {
    var result = [Double](repeating: 0, count: nextWidth)
    for j in 0..<lastWidth {
      let s = vectors[(index + 1) * dimension - lastWidth + j]
      for i in 0..<nextWidth { result[i] += coupling[j * nextWidth + i] * s }
    }
    return result
  }

  /// `‖A y - theta y‖` as the basis sees it.
  func residual(_ index: Int) -> Double {
    let couplings = couplings(index)
    return Double.nrm2(couplings.count, couplings)
  }
}
