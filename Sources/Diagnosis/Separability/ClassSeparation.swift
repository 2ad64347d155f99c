/// Whether classes can be told apart by linear functions of their rows' features and a constant, one
/// function per class: whether the cross-entropy of softmax has a minimum at finite weights.
///
/// A direction `V` (a column `v_c` per class) along which no margin `(v_y - v_c)'x` of a row `x` of class
/// `y` falls and one rises lowers the loss for ever; where there is none, the loss has a minimum.
/// Reference: Albert and Anderson, "On the existence of maximum likelihood estimates in logistic
/// regression models", Biometrika 71 (1984).
enum ClassSeparation: Sendable, Equatable {
  /// Some direction raises the margin of every row against every other class: the infimum is zero.
  case complete
  /// Some direction raises margins and lowers none; none was found that raises all. The infimum is
  /// approached at infinity.
  case partial
  /// There is no such direction: the loss has a minimum at finite weights.
  case overlapping
  /// Neither a direction nor the proof that there is none was found within rounding, or within the
  /// work allowed.
  case undecided

  /// Whether the loss without a penalty has no minimum at finite weights.
  var isSeparable: Bool { self == .complete || self == .partial }

  /// Decides it, with a certificate for each answer but `undecided`.
  ///
  /// Directions are verified margin by margin against a bound of their rounding. What a direction
  /// separates is left out and the rest looked at again, until nothing is left (complete) or the rest
  /// overlaps.
  /// - Parameters:
  ///   - features: row-major, a row per label, without a constant column.
  ///   - labels: a class from 0 up per row; the bias of a class without rows can sink for ever.
  ///   - hasConstant: whether each class has a bias beside its weights.
  ///   - rounding: the relative error of the features, where they were computed.
  ///   - maxOperations: floating-point operations after which the search gives up.
  init(
    features: [Double], columns: Int, labels: [Int], classes: Int, hasConstant: Bool = true,
    rounding: Double = 0, maxOperations: Double = 2e10, isCancelled: () -> Bool = { false }
  ) {
    let n = labels.count
    precondition(features.count == n * columns, "\(features.count) features for \(n) rows")
    precondition(
      labels.allSatisfy { $0 >= 0 && $0 < classes }, "labels lie from 0 to \(classes - 1)")
    guard n > 0, classes > 1 else {
      // One class has the loss zero everywhere.
      self = .overlapping
      return
    }
    var pairs = [Bool](repeating: true, count: n * classes)
    for row in 0..<n { pairs[row * classes + labels[row]] = false }
    var isSeparable = false
    if hasConstant {
      let present = Set(labels)
      for absent in 0..<classes where !present.contains(absent) {
        for row in 0..<n { pairs[row * classes + absent] = false }
        isSeparable = true
      }
    }
    guard
      let basis = OrthonormalFeatures(
        features, columns: columns, hasConstant: hasConstant, maxOperations: maxOperations)
    else {
      self = isSeparable ? .partial : .undecided
      return
    }
    var search = SeparationSearch(
      basis: basis, labels: labels, classes: classes, rounding: rounding,
      operationsLeft: maxOperations - basis.operations)
    while pairs.contains(true) {
      switch search.run(on: pairs, isCancelled: isCancelled) {
      case .separated(let raised):
        isSeparable = true
        for index in pairs.indices where raised[index] { pairs[index] = false }
      case .overlapping:
        self = isSeparable ? .partial : .overlapping
        return
      case .undecided:
        self = isSeparable ? .partial : .undecided
        return
      }
    }
    self = .complete
  }
}
