import Foundation
import LinearMaps

/// One search for a direction that raises margins and lowers none, among chosen pairs of a row and
/// another class than its own: Newton's method on the cross-entropy of those pairs alone.
///
/// Where the pairs overlap it runs into the minimum, whose probabilities certify that there is no such
/// direction; where they are separable its steps turn into one.
struct SeparationSearch {
  enum Outcome {
    /// Per pair, whether a verified direction raises its margin; no other pair's falls.
    case separated([Bool])
    case overlapping
    case undecided
  }

  let basis: OrthonormalFeatures
  let labels: [Int]
  let classes: Int
  /// The relative error of the features.
  let rounding: Double
  var operationsLeft: Double

  private var n: Int { labels.count }
  private var r: Int { basis.rank }
  private var dimension: Int { r * classes }

  /// - Parameter pairs: by row, then class; a row's own class is none of its pairs.
  mutating func run(on pairs: [Bool], isCancelled: () -> Bool) -> Outcome {
    // The least-squares fit of the classes' indicators separates many tables at once.
    var fit = [Double](repeating: 0, count: n * classes)
    for row in 0..<n { fit[labels[row] * n + row] = 1 }
    if let raised = verified(project(fit), pairs) { return .separated(raised) }

    let p = Double(dimension)
    let iterationWork = Double(n * classes * classes) * Double(r * r) + p * p * p
    let eigenWork = 10 * p * p * p
    var v = [Double](repeating: 0, count: dimension)
    var state = evaluate(v, pairs)
    for iteration in 0..<80 {
      guard operationsLeft >= iterationWork + eigenWork, !isCancelled(), state.loss.isFinite else {
        return .undecided
      }
      operationsLeft -= iterationWork
      let gradient = project(state.residuals)
      guard let step = solve(couplings(state.probabilities), gradient.map { -$0 }) else {
        return .undecided
      }
      let change = apply(step)
      let range = largestRange(change, pairs)
      if range < 0.9 {
        operationsLeft -= eigenWork
        if isMinimumNear(state, change, pairs) { return .overlapping }
      }
      if let raised = verified(v, pairs) ?? verified(step, pairs) { return .separated(raised) }
      if iteration >= 3, range > 0.5 {
        operationsLeft -= eigenWork
        if let raised = faceDirection(along: step, change, pairs) { return .separated(raised) }
      }
      let slope = zip(gradient, step).reduce(0) { $0 + $1.0 * $1.1 }
      guard slope < 0 else { return .undecided }
      var length = 1.0
      while true {
        let candidate = zip(v, step).map { $0 + length * $1 }
        let next = evaluate(candidate, pairs)
        let rounding = 8 * Double.ulpOfOne * abs(state.loss)
        if next.loss <= state.loss + 1e-4 * length * slope + rounding {
          (v, state) = (candidate, next)
          break
        }
        length /= 2
        guard length > 1e-9 else { return .undecided }
      }
    }
    return .undecided
  }

  // MARK: The loss

  /// Column-major `n` x `classes`: the probabilities over a row's class and its pairs, and those less the
  /// indicator of its class; zero elsewhere.
  private struct State {
    var loss = 0.0
    var probabilities: [Double]
    var residuals: [Double]
  }

  private func evaluate(_ v: [Double], _ pairs: [Bool]) -> State {
    let logits = apply(v)
    var state = State(
      probabilities: [Double](repeating: 0, count: n * classes),
      residuals: [Double](repeating: 0, count: n * classes))
    for row in 0..<n {
      let own = labels[row]
      let allowed = (0..<classes).filter { pairs[row * classes + $0] }
      guard !allowed.isEmpty else { continue }
      let peak = allowed.reduce(logits[own * n + row]) { max($0, logits[$1 * n + row]) }
      var total = exp(logits[own * n + row] - peak)
      for other in allowed { total += exp(logits[other * n + row] - peak) }
      state.loss += log(total) + peak - logits[own * n + row]
      state.probabilities[own * n + row] = exp(logits[own * n + row] - peak) / total
      for other in allowed {
        let probability = exp(logits[other * n + row] - peak) / total
        state.probabilities[other * n + row] = probability
        state.residuals[other * n + row] = probability
        // Less the others' sum, since one minus a probability near one would be rounding.
        state.residuals[own * n + row] -= probability
      }
    }
    return state
  }

  /// `Q V`: what each row's outputs change along a direction.
  private func apply(_ v: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: n * classes)
    Double.gemm(
      transposedA: false, transposedB: false, m: n, n: classes, k: r, alpha: 1, basis.q, lda: n, v,
      ldb: r, beta: 0, &result, ldc: n)
    return result
  }

  /// `Q' Y`.
  private func project(_ outputs: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: dimension)
    Double.gemm(
      transposedA: true, transposedB: false, m: r, n: classes, k: n, alpha: 1, basis.q, lda: n,
      outputs, ldb: n, beta: 0, &result, ldc: r)
    return result
  }

  private func largestRange(_ change: [Double], _ pairs: [Bool]) -> Double {
    var result = 0.0
    for row in 0..<n {
      var (low, high) = (change[labels[row] * n + row], change[labels[row] * n + row])
      for other in 0..<classes where pairs[row * classes + other] {
        low = min(low, change[other * n + row])
        high = max(high, change[other * n + row])
      }
      result = max(result, high - low)
    }
    return result
  }

  // MARK: Matrices

  /// The Hessian: each row couples classes `a` and `b` by `p_a (delta_ab - p_b)`.
  private func couplings(_ probabilities: [Double]) -> [Double] {
    matrix { a, b, row in
      let first = probabilities[a * n + row]
      if a != b { return -first * probabilities[b * n + row] }
      var rest = 0.0
      for other in 0..<classes where other != a { rest += probabilities[other * n + row] }
      return first * rest
    }
  }

  /// `sum of weight (v_y - v_c)(v_y - v_c)'` over pairs, as a quadratic form in `V`; the weights are
  /// column-major.
  private func stars(_ weights: [Double]) -> [Double] {
    matrix { a, b, row in
      let own = labels[row]
      if a == b {
        if a != own { return weights[a * n + row] }
        var total = 0.0
        for other in 0..<classes where other != own { total += weights[other * n + row] }
        return total
      }
      return a == own ? -weights[b * n + row] : b == own ? -weights[a * n + row] : 0
    }
  }

  /// Blocks `Q' diag(weight) Q` for each two classes, column-major.
  private func matrix(_ weight: (Int, Int, Int) -> Double) -> [Double] {
    var result = [Double](repeating: 0, count: dimension * dimension)
    var weighted = [Double](repeating: 0, count: n * r)
    var weights = [Double](repeating: 0, count: n)
    var block = [Double](repeating: 0, count: r * r)
    for a in 0..<classes {
      for b in a..<classes {
        for row in 0..<n { weights[row] = weight(a, b, row) }
        guard weights.contains(where: { $0 != 0 }) else { continue }
        for column in 0..<r {
          for row in 0..<n {
            weighted[column * n + row] = weights[row] * basis.q[column * n + row]
          }
        }
        Double.gemm(
          transposedA: true, transposedB: false, m: r, n: r, k: n, alpha: 1, basis.q, lda: n,
          weighted, ldb: n, beta: 0, &block, ldc: r)
        for column in 0..<r {
          for row in 0..<r {
            result[(b * r + column) * dimension + a * r + row] = block[column * r + row]
            result[(a * r + row) * dimension + b * r + column] = block[column * r + row]
          }
        }
      }
    }
    return result
  }

  /// `(A + mu I)^-1 b` by Cholesky, refined once without `mu`, which is rounding beside `A`: directions
  /// that `A` leaves free change no margin.
  private func solve(_ a: [Double], _ b: [Double]) -> [Double]? {
    let p = dimension
    let peak = (0..<p).reduce(0) { max($0, a[$1 * p + $1]) }
    guard peak > 0, peak.isFinite else { return nil }
    for ridge in [1e-14, 1e-12, 1e-10] {
      guard let factor = CholeskyFactor(columnMajor: a, dimension: p, shift: ridge * peak)
      else { continue }
      var x = factor.solve(b)
      var residual = b
      Double.gemv(
        transposed: false, rows: p, columns: p, alpha: -1, a, lda: p, x, beta: 1, &residual)
      let correction = factor.solve(residual)
      for index in 0..<p { x[index] += correction[index] }
      return x.allSatisfy(\.isFinite) ? x : nil
    }
    return nil
  }

  // MARK: Certificates

  /// Whether multipliers `lambda > 0` of all pairs exist with `sum of lambda (e_y - e_c) x' = 0`, which by
  /// Stiemke's lemma leaves no separating direction.
  ///
  /// A Newton step that changes no row's outputs by a range of 1 gives positive `p (1 + change)` whose
  /// sum `R` is zero but for rounding, and `lambda (1 + a's)` with `s = -M^-1 R`,
  /// `M = sum of lambda a a'`, are multipliers where `|a's| <= 2 max|q| |R| / lambda_min(M) < 1`.
  private func isMinimumNear(_ state: State, _ change: [Double], _ pairs: [Bool]) -> Bool {
    var multipliers = [Double](repeating: 0, count: n * classes)
    var outputs = multipliers
    var rounding = 0.0
    for row in 0..<n {
      let own = labels[row]
      let others = (0..<classes).filter { pairs[row * classes + $0] }
      guard !others.isEmpty else { continue }
      let mean = (others + [own]).reduce(0) {
        $0 + state.probabilities[$1 * n + row] * change[$1 * n + row]
      }
      for other in others {
        let value = state.probabilities[other * n + row] * (1 + change[other * n + row] - mean)
        guard value > 0 else { return false }
        multipliers[other * n + row] = value
        outputs[other * n + row] = value
        outputs[own * n + row] -= value
        rounding += 16 * Double.ulpOfOne * value * basis.rowNorms[row]
      }
    }
    let sum = project(outputs)
    let left = Double.nrm2(sum.count, sum) + rounding
    let unit = zip(pairs.indices, pairs).reduce(into: [Double](repeating: 0, count: n * classes)) {
      if $1.1 { $0[$1.0 % classes * n + $1.0 / classes] = 1 }
    }
    func eigenvalues(_ weights: [Double]) -> [Double]? {
      try? SymmetricEigensystem(
        columnMajor: stars(weights), dimension: dimension, withVectors: false
      ).values
    }
    guard let plain = eigenvalues(unit), let weighted = eigenvalues(multipliers) else {
      return false
    }
    // Directions that change no margin: shifts common to all classes, and more where pairs are few.
    let free = plain.count { $0 <= 1e-11 * plain[dimension - 1] }
    guard free < dimension else { return false }
    let smallest = weighted[free]
    return smallest > 1e-11 * weighted[dimension - 1]
      && 4 * (basis.rowNorms.max() ?? 1) * left < smallest
  }

  /// The direction next to a step that keeps the margins which the step hardly changes.
  private func faceDirection(
    along step: [Double], _ change: [Double], _ pairs: [Bool]
  ) -> [Bool]? {
    var kept = [Double](repeating: 0, count: n * classes)
    var keeps = false
    for row in 0..<n {
      for other in 0..<classes where pairs[row * classes + other] {
        let rise = change[labels[row] * n + row] - change[other * n + row]
        guard rise > -0.3 else { return nil }
        if rise < 0.3 {
          kept[other * n + row] = 1
          keeps = true
        }
      }
    }
    guard keeps,
      let system = try? SymmetricEigensystem(columnMajor: stars(kept), dimension: dimension)
    else { return nil }
    let p = dimension
    let floor = 1e-10 * system.values[p - 1]
    var direction = step
    // Twice, since the first projection leaves the rounding of a squared matrix.
    for _ in 0..<3 {
      let outputs = apply(direction)
      var changes = [Double](repeating: 0, count: n * classes)
      for row in 0..<n {
        let own = labels[row]
        for other in 0..<classes where kept[other * n + row] > 0 {
          let margin = outputs[own * n + row] - outputs[other * n + row]
          changes[own * n + row] += margin
          changes[other * n + row] -= margin
        }
      }
      let right = project(changes)
      for index in 0..<p where system.values[index] > floor {
        let vector = system.vector(index)
        let part = Double.dot(p, vector, right) / system.values[index]
        Double.axpy(p, -part, vector, &direction)
      }
    }
    return verified(direction, pairs)
  }

  /// The pairs whose margins a direction raises, where it lowers none: each within the rounding of its
  /// own sum, in the standardised columns. Nil where one falls, is in doubt, or none rises.
  private func verified(_ direction: [Double], _ pairs: [Bool]) -> [Bool]? {
    let width = basis.columns
    var weights = [Double](repeating: 0, count: width * classes)
    Double.gemm(
      transposedA: false, transposedB: false, m: width, n: classes, k: r, alpha: 1,
      basis.coefficients, lda: width, direction, ldb: r, beta: 0, &weights, ldc: width)
    let size = Double.nrm2(dimension, direction)
    let unit = 4 * Double(dimension + 8) * Double.ulpOfOne + rounding
    var raised = [Bool](repeating: false, count: n * classes)
    var rises = false
    for row in 0..<n {
      let own = labels[row] * width
      for other in 0..<classes where pairs[row * classes + other] {
        var (margin, scale) = (0.0, 0.0)
        for column in 0..<width {
          let part =
            basis.standardised[row * width + column]
            * (weights[own + column] - weights[other * width + column])
          margin += part
          scale += abs(part)
        }
        let rounding = unit * (scale + basis.rowNorms[row] * size)
        guard margin > -rounding else { return nil }
        if margin > 100 * rounding {
          raised[row * classes + other] = true
          rises = true
        } else if margin > rounding {
          return nil
        }
      }
    }
    return rises ? raised : nil
  }
}
