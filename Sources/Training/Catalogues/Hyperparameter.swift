/// A number that an entry of a catalogue is made with.
public struct Hyperparameter: Sendable, Equatable {
  public let name: String
  public let standard: Double
  public let range: ValueRange
  /// What it does, in one line.
  public let meaning: String

  public init(_ name: String, _ standard: Double, _ range: ValueRange, _ meaning: String) {
    self.name = name
    self.standard = standard
    self.range = range
    self.meaning = meaning
  }
}

/// The finite numbers from a lower end up to an upper one, either with its end or without.
public struct ValueRange: Sendable, Equatable, CustomStringConvertible {
  public let lower: Double
  public let isLowerIncluded: Bool
  public let upper: Double
  public let isUpperIncluded: Bool

  private init(_ lower: Double, _ includesLower: Bool, _ upper: Double, _ includesUpper: Bool) {
    self.lower = lower
    isLowerIncluded = includesLower
    self.upper = upper
    isUpperIncluded = includesUpper
  }

  public static func atLeast(_ lower: Double) -> ValueRange { .init(lower, true, .infinity, false) }
  public static func above(_ lower: Double) -> ValueRange { .init(lower, false, .infinity, false) }
  public static func from(_ lower: Double, below upper: Double) -> ValueRange {
    .init(lower, true, upper, false)
  }
  public static func from(_ lower: Double, to upper: Double) -> ValueRange {
    .init(lower, true, upper, true)
  }
  public static func above(_ lower: Double, to upper: Double) -> ValueRange {
    .init(lower, false, upper, true)
  }
  public static func between(_ lower: Double, _ upper: Double) -> ValueRange {
    .init(lower, false, upper, false)
  }

  public func contains(_ value: Double) -> Bool {
    value.isFinite && (isLowerIncluded ? value >= lower : value > lower)
      && (isUpperIncluded ? value <= upper : value < upper)
  }

  /// To be read after "must be".
  public var description: String {
    let (low, high) = (Self.text(lower), Self.text(upper))
    guard upper.isFinite else {
      return isLowerIncluded ? "\(low) or more" : "a number above \(low)"
    }
    return switch (isLowerIncluded, isUpperIncluded) {
    case (true, false): "at least \(low) and below \(high)"
    case (false, false): "between \(low) and \(high)"
    case (true, true): "at least \(low) and at most \(high)"
    case (false, true): "above \(low) and at most \(high)"
    }
  }

  private static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}
