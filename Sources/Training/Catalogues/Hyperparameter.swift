/// A number that an entry of a catalogue is made with.
public struct Hyperparameter: Sendable, Equatable {
  public let name: String
  public let standard: Double
  public let range: ValueRange
  /// What it does, in one line.
  public let meaning: String
  /// Whether it is a stretch of the run: above 1 in steps, up to 1 as a share.
  public let isStretch: Bool

  public init(
    _ name: String, _ standard: Double, _ range: ValueRange, _ meaning: String,
    isStretch: Bool = false
  ) {
    self.name = name
    self.standard = standard
    self.range = range
    self.meaning = meaning
    self.isStretch = isStretch
  }
}

/// The finite numbers from a lower end up to an upper one, either with its end or without.
public struct ValueRange: Sendable, Equatable, CustomStringConvertible {
  public let lower: Double
  public let isLowerIncluded: Bool
  public let upper: Double
  public let isUpperIncluded: Bool
  /// Whether only whole numbers are meant: steps between two renewals, or 1 for yes and 0 for no.
  public let isWhole: Bool

  private init(
    _ lower: Double, _ includesLower: Bool, _ upper: Double, _ includesUpper: Bool,
    isWhole: Bool = false
  ) {
    self.lower = lower
    isLowerIncluded = includesLower
    self.upper = upper
    isUpperIncluded = includesUpper
    self.isWhole = isWhole
  }

  /// 1 for yes, 0 for no.
  public static let flag = ValueRange(0, true, 1, true, isWhole: true)
  /// Whole numbers from `lower` to `upper`, by default as far as a number holds them exactly.
  public static func count(from lower: Int, to upper: Double = 1e15) -> ValueRange {
    .init(Double(lower), true, upper, true, isWhole: true)
  }

  public static let any = ValueRange(-.infinity, false, .infinity, false)
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
      && (!isWhole || value == value.rounded())
  }

  /// To be read after "must be".
  public var description: String {
    let (low, high) = (Self.text(lower), Self.text(upper))
    if isWhole {
      return upper == 1
        ? "0 or 1" : "a whole number, \(low) " + (upper < 1e15 ? "to \(high)" : "or more")
    }
    guard upper.isFinite else {
      if lower == -.infinity { return "a number" }
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

extension Hyperparameter {
  /// Steps between two measurements.
  static func every(_ standard: Double) -> Hyperparameter {
    Hyperparameter("every", standard, .count(from: 1), "steps from one measurement to the next")
  }
}
