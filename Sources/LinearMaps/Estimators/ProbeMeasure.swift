import Foundation

/// What `k` Lanczos steps say about the spectral measure of their start `v`: a weighted set that
/// has its moments up to degree `2k`, and a band that its CDF cannot leave.
///
/// With a free last diagonal entry `tau`, the extended matrix `T_{k+1}` gives a quadrature rule for
/// every tau, all with the same moments `0 ... 2k`, and every real x is a node of one of them. By the
/// inequalities of Chebyshev, Markov and Stieltjes, any measure with these moments has at a node x
/// of such a rule a CDF between the sums of the weights before x and up to x. The rules at a few
/// taus, spread evenly over the cotangent's phase, bound the CDF at `k + 1` points each; further ones
/// go where most area is left. Their average is the estimate: where the spectrum is resolved all
/// rules agree, where it is not they fill the gaps that one Gauss rule would leave, and its distance
/// to a smooth density is less than half of the Gauss rule's.
///
/// Reference: Golub and Meurant, "Matrices, Moments and Quadrature with Applications" (2010),
/// chapter 6; Akhiezer, "The Classical Moment Problem" (1965), section 2.5.
struct ProbeMeasure {
  typealias Atom = (position: Double, mass: Double)

  let steps: Int
  /// The Gauss rule: Ritz values, squared first components, and residuals `beta_k |s_k|`.
  let ritz: TridiagonalEigensystem
  let residuals: [Double]
  /// The average of the rules.
  let atoms: [Atom]
  /// Whether the Krylov space became invariant, so that the Gauss rule is the measure itself.
  let isExact: Bool
  /// Holds all eigenvalues, except with the probability that `delta` was made for.
  let support: ClosedRange<Double>
  let rounding: Double

  /// Where the CDF is bounded, ascending.
  private(set) var points: [(x: Double, below: Double, upTo: Double)] = []
  private let alphas: [Double]
  private let betas: [Double]

  /// Takes `delta` of `ProbabilisticBound`, for a start that was uniform on the sphere.
  init(_ process: some TridiagonalProcess, delta: Double) throws {
    let (alphas, betas) = (process.alphas, process.betas)
    (self.alphas, self.betas) = (alphas, betas)
    let k = alphas.count
    steps = k
    let inner = Array(betas.dropLast())
    let ritz = try TridiagonalEigensystem(diagonal: alphas, offDiagonal: inner, vectors: .ends)
    self.ritz = ritz
    residuals = ritz.last.map { betas[k - 1] * abs($0) }
    rounding = process.rounding
    isExact = betas[k - 1] == 0
    let (first, last) = (ritz.values[0], ritz.values[k - 1])
    guard process.scale > 0, !process.isComplete else {
      support = first...last
      atoms = zip(ritz.values, ritz.first).map { ($0, $1 * $1) }
      return
    }
    let positive = betas.map { max($0, process.breakdownLevel) }
    let level = process.breakdownLevel + rounding
    let above = try ProbabilisticBound.upperEnd(
      alphas: alphas[...], betas: positive[...], delta: delta)
    let below = try ProbabilisticBound.upperEnd(
      alphas: alphas.map { -$0 }[...], betas: positive[...], delta: delta)
    let support = min(first, -below - level)...max(last, above + level)
    self.support = support
    guard !isExact else {
      atoms = zip(ritz.values, ritz.first).map { ($0, $1 * $1) }
      return
    }
    // Long recursions leave small gaps, for which fewer rules do.
    let rules = k <= 64 ? 8 : 4
    var atoms: [Atom] = []
    for index in 0..<rules {
      let phase = Double.pi * ((Double(index) + 0.5) / Double(rules) - 0.5)
      let rule = try Self.rule(alphas + [alphas[k - 1] + betas[k - 1] * tan(phase)], betas)
      points += rule.points
      atoms += rule.atoms.map { atom in
        (min(max(atom.position, support.lowerBound), support.upperBound), atom.mass / Double(rules))
      }
    }
    self.atoms = atoms
    for _ in 0..<rules {
      tighten()
      guard let x = widestGap() else { break }
      let tau = x + betas[k - 1] * betas[k - 1] / Self.lastPivot(alphas, inner, at: x)
      guard tau.isFinite else { break }
      points += try Self.rule(alphas + [tau], betas).points
    }
    tighten()
  }

  /// The steps of the lowest and of the highest CDF possible for a measure on `support`.
  func band(in support: ClosedRange<Double>) -> (lowest: [Atom], highest: [Atom]) {
    guard !isExact, !points.isEmpty else { return (atoms, atoms) }
    let (a, b) = (support.lowerBound, support.upperBound)
    var lowest: [Atom] = []
    var highest: [Atom] = [(a, points[0].upTo)]
    var before = 0.0
    for (index, point) in points.enumerated() {
      let x = min(max(point.x, a), b)
      lowest.append((x, point.below - before))
      before = point.below
      let next = index + 1 < points.count ? points[index + 1].upTo : 1
      highest.append((x, next - point.upTo))
    }
    lowest.append((b, 1 - before))
    return (lowest, highest)
  }

  /// Whether the atoms are the measure itself.
  var isResolved: Bool { isExact || points.isEmpty }

  /// The bounds of the rule that has a node at `x`; empty where rounding forbids one.
  func rule(at x: Double) -> [(x: Double, below: Double, upTo: Double)] {
    let k = alphas.count
    let tau = x + betas[k - 1] * betas[k - 1] / Self.lastPivot(alphas, betas.dropLast(), at: x)
    guard tau.isFinite else { return [] }
    return (try? Self.rule(alphas + [tau], betas).points) ?? []
  }

  /// Sorts the points and makes both sides of the band monotone, as a CDF is.
  private mutating func tighten() {
    points.sort { $0.x < $1.x }
    for index in points.indices.dropFirst() {
      points[index].below = max(points[index].below, points[index - 1].below)
    }
    for index in points.indices.reversed() {
      let next = index + 1 < points.count ? points[index + 1].upTo : 1
      points[index].upTo = min(points[index].upTo, next)
    }
  }

  /// The middle of the gap between points that holds most of the band's area.
  private func widestGap() -> Double? {
    var (largest, middle) = (0.0, Double?.none)
    for index in 0...points.count {
      let left = index == 0 ? support.lowerBound : max(points[index - 1].x, support.lowerBound)
      let right =
        index == points.count ? support.upperBound : min(points[index].x, support.upperBound)
      let height =
        (index == points.count ? 1 : points[index].upTo)
        - (index == 0 ? 0 : points[index - 1].below)
      let area = (right - left) * height
      if area > largest { (largest, middle) = (area, 0.5 * (left + right)) }
    }
    return middle
  }

  private static func rule(
    _ diagonal: [Double], _ offDiagonal: [Double]
  ) throws -> (atoms: [Atom], points: [(x: Double, below: Double, upTo: Double)]) {
    let system = try TridiagonalEigensystem(
      diagonal: diagonal, offDiagonal: offDiagonal, vectors: .ends)
    var sum = 0.0
    var atoms: [Atom] = []
    var points: [(x: Double, below: Double, upTo: Double)] = []
    for (node, component) in zip(system.values, system.first) {
      let weight = component * component
      atoms.append((node, weight))
      points.append((node, max(sum - 1e-14, 0), min(sum + weight + 1e-14, 1)))
      sum += weight
    }
    return (atoms, points)
  }

  /// The last pivot of `T_k - x I`.
  private static func lastPivot(
    _ diagonal: [Double], _ beside: some Sequence<Double>, at x: Double
  ) -> Double {
    var pivot = diagonal[0] - x
    for (entry, beta) in zip(diagonal.dropFirst(), beside) {
      if pivot == 0 { pivot = .leastNormalMagnitude }
      pivot = (entry - x) - beta * beta / pivot
    }
    return pivot == 0 ? .leastNormalMagnitude : pivot
  }
}
