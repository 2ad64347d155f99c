/// Whether a loss has a minimum at finite parameters, as far as the classes tell before any training.
enum FiniteMinimum: Sendable, Equatable {
  /// It has one.
  case exists
  /// It has none: every point has one of lower loss.
  case none(Absence)
  /// Nothing can be said.
  case unknown

  struct Absence: Sendable, Equatable {
    /// Why, to be read in brackets.
    var reason: String
    /// Whether a penalty on the weights gives the loss a minimum.
    var isMendedByPenalty: Bool
    /// The infimum of the loss over all parameters, where it is known.
    var infimum: Double?
  }

  var absence: Absence? {
    if case .none(let absence) = self { absence } else { nil }
  }

  /// Whether it is known to have none, so that no number of steps leads to it.
  var isAbsent: Bool { absence != nil }

  static let separable = Self.none(
    Absence(
      reason: "the classes can be told apart without error", isMendedByPenalty: true, infimum: 0))

  static let partlySeparable = Self.none(
    Absence(
      reason:
        "some rows can be told apart from another class without error, at no cost to the others",
      isMendedByPenalty: true))

  /// Along the bias of a class without samples the loss falls from every point, whatever the other
  /// parameters, and a penalty on weights does not see it.
  static func emptyClasses(_ count: Int, called noun: String) -> Self {
    .none(
      Absence(
        reason: count == 1
          ? "a class has no \(noun), so its bias falls for ever"
          : "\(count) classes have no \(noun), so their biases fall for ever",
        isMendedByPenalty: false))
  }
}
