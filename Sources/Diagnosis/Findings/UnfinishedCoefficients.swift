import Foundation
import LinearMaps
import Training

/// What is left of a linear model's coefficients to go when its loss is finished: `w_k` against the minimiser
/// `w*` that the table's quadratic has.
struct UnfinishedCoefficients {
  /// `||w_k - w*|| / ||w*||` over the weights, in the user's units.
  let error: Double
  /// The coefficient that is off most for its size, of those that matter to the outputs.
  let worst: (column: Int, value: Double, minimiser: Double)
  /// `|v'(w_k - w*)| / |v'(w_0 - w*)|` along the flattest direction `v`; nil where the start was not off there.
  let share: Double?
  /// Steps until the weights as a whole and each of those that matter are within a hundredth of the
  /// minimiser's for good; nil beyond 1e15, and where no closed form tells it.
  let stepsToOnePercent: Int?

  /// The variables that an optimizer worked in.
  struct Variables {
    let modes: LeastSquaresModes
    let start: [Double]
    /// The weights and bias in the user's units.
    let restored: ([Double]) -> [Double]
    /// Per column, how much a unit of its weight moves the outputs.
    let influences: [Double]
  }

  /// - Parameters:
  ///   - point: where the run came to; nil for where the factors say.
  ///   - factors: `p_k` of the error along each of the modes, where theory knows them.
  /// - Returns: nil where no weight is left to compare with, and where nothing tells the point.
  init?(
    _ variables: Variables, at point: [Double]?, after steps: Int, factors: [StepFactor]?
  ) {
    let modes = variables.modes
    let target = modes.minimiser
    let offset = zip(variables.start, target).map { $0 - $1 }
    func component(_ vector: [Double], _ mode: LeastSquaresModes.Mode) -> Double {
      zip(mode.vector, vector).reduce(0) { $0 + $1.0 * $1.1 }
    }
    guard
      let point = point
        ?? factors.map({ factors in
          var point = target
          for (mode, factor) in zip(modes.modes, factors) {
            let left = factor.value(after: Double(steps)) * component(offset, mode)
            for index in point.indices { point[index] += left * mode.vector[index] }
          }
          return point
        })
    else { return nil }
    let influences = variables.influences
    let columns = influences.indices
    let (minimiser, reached) = (variables.restored(target), variables.restored(point))
    let norm = columns.reduce(0) { $0 + minimiser[$1] * minimiser[$1] }.squareRoot()
    let distance = columns.reduce(0) { $0 + pow(reached[$1] - minimiser[$1], 2) }.squareRoot()
    // A coefficient of next to nothing is off by any multiple of itself.
    let strongest = columns.map { abs(minimiser[$0]) * influences[$0] }.max() ?? 0
    let telling = columns.filter { abs(minimiser[$0]) * influences[$0] >= 0.01 * strongest }
    func off(_ column: Int) -> Double {
      abs(reached[column] - minimiser[column]) / abs(minimiser[column])
    }
    // Beside a bias that is all, what is left of weights is rounding.
    let bias = minimiser.dropFirst(columns.count).map(abs).max() ?? 0
    guard norm > 0, strongest > 1e-9 * bias, distance.isFinite, let flattest = modes.modes.last,
      let column = telling.max(by: { off($0) < off($1) })
    else { return nil }
    error = distance / norm
    worst = (column, reached[column], minimiser[column])
    let before = component(offset, flattest)
    let length = offset.reduce(0) { $0 + $1 * $1 }.squareRoot()
    share =
      abs(before) > 1e-9 * length
      ? abs(component(zip(point, target).map { $0 - $1 }, flattest) / before) : nil
    // Of the start's error a hundredth may be many times the weights, where that of the bias is most of it.
    let parts = modes.modes.map { mode in
      let length = component(offset, mode)
      let moved = variables.restored(zip(target, mode.vector).map { $0 + length * $1 })
      return columns.map { abs(moved[$0] - minimiser[$0]) }
    }
    stepsToOnePercent = factors.flatMap { factors in
      Self.firstStep { step in
        let left = factors.map { $0.envelope(after: Double(step)) }
        let bounds = columns.map { column in
          zip(left, parts).reduce(0) { $0 + $1.0 * $1.1[column] }
        }
        return bounds.reduce(0) { $0 + $1 * $1 }.squareRoot() <= 0.01 * norm
          && telling.allSatisfy { bounds[$0] <= 0.01 * abs(minimiser[$0]) }
      }
    }
  }

  /// Whether there is anything to tell.
  var isTelling: Bool {
    error >= 0.05 || abs(worst.value - worst.minimiser) >= 0.1 * abs(worst.minimiser)
  }

  /// The first step from which a condition holds that stays once it holds.
  private static func firstStep(_ holds: (Int) -> Bool) -> Int? {
    var high = 1
    while !holds(high) {
      guard high < 1_000_000_000_000_000 else { return nil }
      high *= 2
    }
    var low = 0
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if holds(middle) { high = middle } else { low = middle }
    }
    return high
  }
}

extension Measurements {
  /// What is left of the coefficients when the loss of a prescription is finished; nil for losses that are no
  /// quadratic.
  ///
  /// - Parameters:
  ///   - point: where its run arrived, in the variables that it trained; nil for what closed forms say.
  func unfinished(
    _ prescription: Prescription, after steps: Int, at point: [Double]?
  ) -> UnfinishedCoefficients? {
    guard let table = start.problem.table, let scaling, let raw = exactLoss(survey) else {
      return nil
    }
    let kind = Prescription.Kind(rawValue: prescription.id)
    var (modes, origin) = (raw, start.point.map { Double($0) })
    var restored: ([Double]) -> [Double] = { $0 }
    let standardising: [Prescription.Kind] = [
      .standardiseFeatures, .standardiseAndAdam, .standardiseAllAndAdam,
    ]
    if let kind, standardising.contains(kind), let standardised {
      guard let exact = exactLoss(standardised.survey) else { return nil }
      (modes, origin) = (exact, standardised.start.map { Double($0) })
      restored = { scaling.restored($0, outputs: 1) }
    }
    let optimizer: (any Optimizer)? =
      switch kind {
      case .safeRate, .fastestRate, .standardiseFeatures: GradientDescent()
      case .asGiven: start.optimizer
      case .momentum: Momentum(beta: prescription.predicted.momentum ?? 0)
      default: nil
      }
    let rate = prescription.measured?.rate ?? prescription.predicted.rate
    let factors = optimizer.flatMap { optimizer in
      rate.flatMap { rate -> [StepFactor]? in
        optimizer.hasForecast
          ? modes.modes.map { optimizer.stepFactor(rate: rate, eigenvalue: $0.eigenvalue)! } : nil
      }
    }
    // Where directions are flat, other optimizers than these leave them at another of the minimisers.
    guard factors != nil || modes.rank == modes.columnCount else { return nil }
    return UnfinishedCoefficients(
      .init(
        modes: modes, start: origin, restored: restored,
        influences: (0..<table.featureCount).map {
          scaling.isCentred && !scaling.constantColumns.contains($0)
            ? scaling.deviations[$0] : scaling.sizes[$0]
        }), at: point, after: steps, factors: factors)
  }
}
