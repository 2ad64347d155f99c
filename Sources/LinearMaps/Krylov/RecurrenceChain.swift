import Foundation

/// The matrix recurrence of a block Lanczos process, restarts included, and what it says about an
/// eigenvalue beyond every Ritz value.
///
/// Step `j` gave `A V_j = V_{j+1} B_j + V_j A_j + V_{j-1} B_{j-1}'`. With `u_j = q'V_j` for a unit
/// eigenvector `q` of the eigenvalue `t`, `u_{j+1} B_j = u_j S_j`, where the pivots
/// `S_j = t - A_j - B_{j-1} S_{j-1}^{-1} B_{j-1}'` are positive definite beyond the Ritz values. The
/// first step after a thick restart meets kept Ritz vectors `(A - theta_i) y_i = V sigma_i` instead,
/// so that `S = t - A_j - sum_i sigma_i sigma_i' / (t - theta_i)`. Either way `u_1 = u_{k+1} G(t)`
/// with `G = B_k S_k^{-1} ... B_1 S_1^{-1}`, through all restarts, and `|u_{k+1}| <= 1`. With one
/// column and no restart, `G = 1 / p_k` for the Lanczos polynomial `p_k` of the reference.
///
/// Reference: van Dorsselaer, Hochstenbach and van der Vorst, "Computing probabilistic bounds for
/// extreme eigenvalues of symmetric matrices with the Lanczos method" (2000), section 3; Wu and
/// Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems" (2000).
struct RecurrenceChain {
  struct Step {
    /// Columns of this block and of the next.
    var width: Int
    var nextWidth: Int
    /// `A_j`, column-major, symmetric.
    var diagonal: [Double]
    /// `B_j`, column-major of `nextWidth` x `width`.
    var coupling: [Double]
    /// Entries of `B_j` that were at rounding level and stand as zero in it.
    var dropped: [Int] = []
    /// `theta_i` and `sigma_i` (column-major of `width` x poles) right after a restart.
    var poles: [Double] = []
    var poleCoupling: [Double] = []
  }

  private(set) var steps: [Step] = []

  mutating func append(_ step: Step) { steps.append(step) }

  /// The `t >= base` beyond which no eigenvalue can lie whose `u_1` has at least the norm `delta`.
  ///
  /// Scans inwards from `previous` (an earlier answer, or nil), so that it stops at the outermost
  /// crossing: `|G|` is known to fall monotonically for one column only. `base` is the outermost
  /// Ritz value, `level` what a dropped coefficient may have been, `scale` the size of the map.
  func outerEnd(
    from first: Int, isMirrored: Bool, base: Double, delta: Double, level: Double, scale: Double,
    previous: Double?
  ) -> Double {
    func excess(_ gap: Double) -> Double? {
      logNorm(base + gap, from: first, isMirrored: isMirrored, level: level).map { $0 - log(delta) }
    }
    let smallest = max(1e-16 * scale, .leastNonzeroMagnitude)
    var outer = max(previous.map { $0 - base } ?? scale, smallest)
    var outerExcess = excess(outer)
    while outerExcess.map({ $0 >= 0 }) ?? true {
      outer *= 4
      outerExcess = excess(outer)
    }
    var inner = outer / 2
    var innerExcess = excess(inner)
    while inner > smallest, let value = innerExcess, value < 0 {
      (outer, outerExcess) = (inner, value)
      inner /= 2
      innerExcess = excess(inner)
    }
    // Regula falsi (Illinois) in the logarithm of the gap; plain halving below the largest root.
    for _ in 0..<60 where outer > inner * (1 + 1e-8) && inner > smallest {
      var middle = (inner * outer).squareRoot()
      if let high = innerExcess, let low = outerExcess {
        let share = min(max(high / (high - low), 1e-3), 1 - 1e-3)
        middle = inner * pow(outer / inner, share)
      }
      let value = excess(middle)
      if let value, value < 0 {
        (outer, outerExcess) = (middle, value)
        innerExcess = innerExcess.map { $0 / 2 }
      } else {
        (inner, innerExcess) = (middle, value)
        outerExcess = outerExcess.map { $0 / 2 }
      }
    }
    return (base + outer).nextUp
  }

  /// Whether an eigenvalue at `t` would need a `u_1` shorter than `delta`.
  func excludes(
    _ t: Double, from first: Int, isMirrored: Bool, delta: Double, level: Double
  ) -> Bool {
    logNorm(t, from: first, isMirrored: isMirrored, level: level).map { $0 < log(delta) } ?? false
  }

  /// `log |G(t)|` in the Frobenius norm (of the map `-A` if mirrored), or nil for a `t` not beyond
  /// every Ritz value.
  ///
  /// `G` is kept scaled, so that it neither overflows nor vanishes.
  func logNorm(_ t: Double, from first: Int, isMirrored: Bool, level: Double) -> Double? {
    let sign = isMirrored ? -1.0 : 1.0
    let startWidth = steps[first].width
    let widest = steps[first...].reduce(1) { max($0, $1.width, $1.nextWidth) }
    // Row-major: pivot, the right-hand sides B' and G side by side, and the products of both.
    var pivot = [Double](repeating: 0, count: widest * widest)
    var sides = [Double](repeating: 0, count: widest * (widest + startWidth))
    var carried = [Double](repeating: 0, count: widest * widest)
    var g = [Double](repeating: 0, count: widest * startWidth)
    for i in 0..<startWidth { g[i * startWidth + i] = 1 }
    var logScale = 0.0
    var isFirst = true
    for step in steps[first...] {
      let (w, next) = (step.width, step.nextWidth)
      for i in 0..<w {
        for j in 0...i {
          pivot[i * w + j] = (i == j ? t : 0) - sign * step.diagonal[j * w + i]
          if !isFirst && step.poles.isEmpty { pivot[i * w + j] -= carried[i * w + j] }
        }
      }
      for (index, pole) in step.poles.enumerated() {
        let distance = t - sign * pole
        guard distance > 0 else { return nil }
        for i in 0..<w {
          let scaled = step.poleCoupling[index * w + i] / distance
          for j in 0...i { pivot[i * w + j] -= scaled * step.poleCoupling[index * w + j] }
        }
      }
      // The columns of B' and of G, solved against the Cholesky factor as that forms.
      let count = next + startWidth
      for i in 0..<w {
        for j in 0..<next { sides[i * count + j] = step.coupling[i * next + j] }
        for j in 0..<startWidth { sides[i * count + next + j] = g[i * startWidth + j] }
      }
      for index in step.dropped {
        sides[(index / next) * count + index % next] = level
      }
      for i in 0..<w {
        for j in 0...i {
          var sum = pivot[i * w + j]
          for k in 0..<j { sum -= pivot[i * w + k] * pivot[j * w + k] }
          if i == j {
            guard sum > 0 else { return nil }
            pivot[i * w + i] = sum.squareRoot()
          } else {
            pivot[i * w + j] = sum / pivot[j * w + j]
          }
        }
        for column in 0..<count {
          var sum = sides[i * count + column]
          for k in 0..<i { sum -= pivot[i * w + k] * sides[k * count + column] }
          sides[i * count + column] = sum / pivot[i * w + i]
        }
      }
      var largest = 0.0
      for i in 0..<next {
        for j in 0..<next {
          var sum = 0.0
          for k in 0..<w { sum += sides[k * count + i] * sides[k * count + j] }
          carried[i * next + j] = sum
        }
        for j in 0..<startWidth {
          var sum = 0.0
          for k in 0..<w { sum += sides[k * count + i] * sides[k * count + next + j] }
          g[i * startWidth + j] = sum
          largest = max(largest, abs(sum))
        }
      }
      guard largest > 0 else { return -.infinity }
      for i in 0..<next * startWidth { g[i] /= largest }
      logScale += log(largest)
      isFirst = false
    }
    let lastWidth = steps[steps.count - 1].nextWidth
    var sum = 0.0
    for i in 0..<lastWidth * startWidth { sum += g[i] * g[i] }
    return logScale + 0.5 * log(sum)
  }
}
