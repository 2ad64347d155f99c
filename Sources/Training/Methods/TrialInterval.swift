/// The interval of a line search and its next trial: More and Thuente's safeguarded cubic steps.
///
/// Reference: More and Thuente, "Line search algorithms with guaranteed sufficient decrease", ACM
/// Transactions on Mathematical Software 20 (1994), section 4.
struct TrialInterval {
  /// A step with the function and its slope there.
  struct Sample {
    var step: Double
    var value: Double
    var slope: Double

    /// Of the function less the line of this slope.
    func tilted(by slope: Double) -> Sample {
      Sample(step: step, value: value - step * slope, slope: self.slope - slope)
    }
  }

  /// The end with the least value.
  var best: Sample
  var other: Sample
  /// Whether a minimum lies between both ends.
  var isBracketed = false

  /// Takes in a trial and proposes the next.
  ///
  /// - Parameters:
  ///   - lower: the least step that may be proposed.
  ///   - upper: the largest.
  mutating func next(after trial: Sample, lower: Double, upper: Double) -> Double {
    let away = trial.step > best.step
    var proposed: Double
    if trial.value > best.value {
      // Higher: a minimum lies between.
      let cubic = Self.cubic(best, trial)
      let chord = (best.value - trial.value) / (trial.step - best.step) + best.slope
      let quadratic = best.step + best.slope / chord / 2 * (trial.step - best.step)
      proposed =
        abs(cubic - best.step) < abs(quadratic - best.step)
        ? cubic : cubic + (quadratic - cubic) / 2
      isBracketed = true
    } else if trial.slope * best.slope.sign.unit < 0 {
      // Lower, and the slope has turned.
      let cubic = Self.cubic(trial, best)
      let secant = Self.secant(trial, best)
      proposed = abs(cubic - trial.step) > abs(secant - trial.step) ? cubic : secant
      isBracketed = true
    } else if abs(trial.slope) < abs(best.slope) {
      // Lower, and flatter: the cubic only where it leads on.
      let cubic = Self.cubicBeyond(trial, best) ?? (away ? upper : lower)
      let secant = Self.secant(trial, best)
      let isCubicNearer = abs(cubic - trial.step) < abs(secant - trial.step)
      proposed = isCubicNearer == isBracketed ? cubic : secant
      if isBracketed {
        let limit = trial.step + 0.66 * (other.step - trial.step)
        proposed = away ? min(limit, proposed) : max(limit, proposed)
      } else {
        proposed = min(max(proposed, lower), upper)
      }
    } else if isBracketed {
      proposed = Self.cubic(trial, other)
    } else {
      proposed = away ? upper : lower
    }
    if trial.value > best.value {
      other = trial
    } else {
      if trial.slope * best.slope.sign.unit < 0 { other = best }
      best = trial
    }
    return proposed.isFinite ? proposed : (best.step + other.step) / 2
  }

  private static func secant(_ a: Sample, _ b: Sample) -> Double {
    a.step + a.slope / (a.slope - b.slope) * (b.step - a.step)
  }

  /// `theta` and `gamma` of the cubic through two points with their slopes.
  private static func coefficients(_ a: Sample, _ b: Sample) -> (theta: Double, gamma: Double) {
    let theta = 3 * (a.value - b.value) / (b.step - a.step) + a.slope + b.slope
    let scale = max(abs(theta), abs(a.slope), abs(b.slope))
    guard scale > 0 else { return (theta, 0) }
    let root =
      scale
      * max(0, (theta / scale) * (theta / scale) - a.slope / scale * (b.slope / scale))
      .squareRoot()
    return (theta, b.step < a.step ? -root : root)
  }

  /// The minimum of the cubic through both, seen from `a`.
  private static func cubic(_ a: Sample, _ b: Sample) -> Double {
    let (theta, gamma) = coefficients(a, b)
    let share = (gamma - a.slope + theta) / (gamma - a.slope + gamma + b.slope)
    return a.step + share * (b.step - a.step)
  }

  /// The same where it lies on the side of `a` that is turned away from `b`.
  private static func cubicBeyond(_ a: Sample, _ b: Sample) -> Double? {
    let (theta, gamma) = coefficients(a, b)
    let share = (gamma - a.slope + theta) / (gamma + (b.slope - a.slope) + gamma)
    return share < 0 && gamma != 0 ? a.step + share * (b.step - a.step) : nil
  }
}

extension FloatingPointSign {
  fileprivate var unit: Double { self == .minus ? -1 : 1 }
}
