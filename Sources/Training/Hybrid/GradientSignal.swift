import LinearMaps

/// How strong the gradient is beside its noise from sample to sample, from the gradients `g_b` of `M` groups:
///
///     C = 1/(M - 1) sum_b (g_b - mean)(g_b - mean)',   signal^2 = |mean|^2 - (1 - f) tr C / M
///     ratio^2 = signal^2 / tr C
///
/// The square of the mean's length overstates that of the gradient over all samples by `(1 - f) tr C / M`,
/// where the groups are disjoint and take up the share `f` of all samples; it is taken off. What is left of the
/// ratio's bias, of order `1/M`, goes by the jackknife over the groups. The ratio is that of one group: for `B`
/// times as many samples it is `sqrt B` times as large.
///
/// Reference: Anagnostopoulos et al., "Learning in PINNs: Phase transition, total diffusion, and
/// generalization", arXiv:2403.18494, for the ratio; Quenouille, "Notes on bias in estimation", Biometrika 43
/// (1956), for the jackknife.
public struct GradientSignal: Sendable, Equatable, Codable {
  public var groups: Int
  /// `|mean|^2 - (1 - f) tr C / M`, unbiased; below 0 where the noise alone explains the mean.
  public var signalSquare: Double
  /// `tr C`, unbiased.
  public var noiseSquare: Double
  /// `ratio^2`; below 0 where the noise alone explains the mean, and at most 1e18, where there is no noise.
  public var ratioSquare: Double

  /// Signal over noise of one group, 0 where there is no sign of a signal.
  public var ratio: Double { max(0, ratioSquare).squareRoot() }

  /// - Parameter share: `f`; 0 for independent draws.
  /// - Precondition: at least 3 gradients of one length.
  public init<Scalar: LinearMapScalar>(_ gradients: [[Scalar]], share: Double = 0) {
    let count = gradients.count
    precondition(count >= 3, "\(count) gradients are too few to tell signal from noise")
    let length = gradients[0].count
    let groups = Double(count)
    var mean = [Double](repeating: 0, count: length)
    for gradient in gradients {
      precondition(
        gradient.count == length, "gradients of \(length) and of \(gradient.count) numbers")
      for index in 0..<length { mean[index] += Double(gradient[index]) / groups }
    }
    let meanSquare = mean.reduce(0) { $0 + $1 * $1 }
    // Deviations from the mean keep the digits that differences of squares would lose.
    var (deviations, along): ([Double], [Double]) = ([], [])
    for gradient in gradients {
      var (square, slope) = (0.0, 0.0)
      for index in 0..<length {
        let deviation = Double(gradient[index]) - mean[index]
        square += deviation * deviation
        slope += deviation * mean[index]
      }
      deviations.append(square)
      along.append(slope)
    }
    let spread = deviations.reduce(0, +)
    let whole = Double(count)
    func ratio(_ meanSquare: Double, _ spread: Double, _ groups: Double) -> Double {
      let noise = spread / (groups - 1)
      let signal = meanSquare - (1 - share * groups / whole) * noise / groups
      return signal > 1e18 * noise ? 1e18 : noise > 0 ? signal / noise : 0
    }
    let found = ratio(meanSquare, spread, groups)
    // Without group i the mean is mean - d_i / (M - 1), and the spread less by |d_i|^2 M / (M - 1).
    let without = (0..<count).reduce(0.0) { total, index in
      let square =
        meanSquare - 2 * along[index] / (groups - 1)
        + deviations[index] / ((groups - 1) * (groups - 1))
      let left = max(0, spread - deviations[index] * groups / (groups - 1))
      return total + ratio(max(0, square), left, groups - 1)
    }
    self.groups = count
    noiseSquare = spread / (groups - 1)
    signalSquare = meanSquare - (1 - share) * noiseSquare / groups
    let jackknifed = groups * found - (groups - 1) / groups * without
    ratioSquare = min(1e18, found >= 1e18 ? found : jackknifed)
  }
}
