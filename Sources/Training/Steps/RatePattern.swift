import Curvature
import Presentation

/// A learning rate for some parameters, as a person writes it: `layer1.*=0.1x` for a tenth of the rate of all,
/// `head.weight=1e-3` for a rate of its own.
public struct RatePattern: Sendable, Equatable, Codable {
  public enum Rate: Sendable, Equatable, Codable {
    /// Times the rate of all.
    case factor(Double)
    /// A rate where a schedule begins, which it moves in step with the rate of all.
    case absolute(Double)
  }

  /// As in `LossDefinition.parameters(matching:)`: `*` for any text, `?` for one character, commas between
  /// several.
  public var parameters: String
  public var rate: Rate

  public init(_ parameters: String, _ rate: Rate) {
    self.parameters = parameters
    self.rate = rate
  }

  /// Reads `PATTERN=RATE` or `PATTERN=FACTORx`.
  ///
  /// - Throws: `RatePatternError.unreadable`.
  public init(_ text: String) throws {
    guard let sign = text.lastIndex(of: "="), sign > text.startIndex else {
      throw RatePatternError.unreadable(text)
    }
    let value = text[text.index(after: sign)...]
    let digits = value.hasSuffix("x") ? value.dropLast() : value
    guard let number = Double(digits), number.isFinite, number >= 0 else {
      throw RatePatternError.unreadable(text)
    }
    self.init(
      String(text[..<sign]), value.hasSuffix("x") ? .factor(number) : .absolute(number))
  }
}

extension StepRules {
  /// The factors of `rateFactors` that patterns ask for; of two that name a parameter the later holds, and what
  /// none names keeps the rate of all.
  ///
  /// - Parameter rate: the rate of all that a schedule begins with, for rates of their own.
  /// - Throws: `RatePatternError` for a pattern that names no parameter, and for a rate of its own where that
  ///   of all is 0.
  public static func rateFactors(
    _ patterns: [RatePattern], of parameters: [LossDefinition.Parameter], rate: Double
  ) throws -> [RateFactor] {
    var factors = parameters.map { _ in 1.0 }
    for pattern in patterns {
      let factor: Double
      switch pattern.rate {
      case .factor(let value): factor = value
      case .absolute(let value):
        guard rate != 0 else { throw RatePatternError.noBase(pattern.parameters) }
        factor = value / rate
      }
      for index in try parameters.positions(named: pattern.parameters) { factors[index] = factor }
    }
    return factors.map { .scalar($0) }
  }

  /// A mask for `decays`: weights decay, biases and scales of normalisations do not, nor what the patterns name.
  ///
  /// - Throws: `RatePatternError.unknown`.
  public static func decayMask(
    _ parameters: [LossDefinition.Parameter], sparing patterns: String? = nil
  ) throws -> [Bool] {
    var mask = parameters.map { !$0.isBias }
    for index in try patterns.map(parameters.positions(named:)) ?? [] { mask[index] = false }
    return mask
  }
}

extension [LossDefinition.Parameter] {
  fileprivate func positions(named patterns: String) throws -> [Int] {
    do { return try positions(matching: patterns) } catch CurvatureError.noParameter(
      let pattern, let names)
    {
      throw RatePatternError.unknown(pattern, known: names)
    }
  }
}

/// Why a pattern gives no rates: one sentence and the next step.
public enum RatePatternError: Error, Equatable, Sendable, CustomStringConvertible {
  case unreadable(String)
  case unknown(String, known: [String])
  case noBase(String)

  public var description: String {
    switch self {
    case .unreadable(let text):
      "The rate '\(Printable.name(text))' is no pattern with a rate: write it as 'layer1.*=0.1x' for a "
        + "share of the rate, or 'layer1.*=1e-3' for a rate of its own."
    case .unknown(let pattern, let known):
      "No parameter is named '\(Printable.name(pattern))': "
        + (closestName(to: pattern, among: known).map { "did you mean \($0)? C" } ?? "c")
        + "hoose among \(Wording.list(known, limit: 12))."
    case .noBase(let pattern):
      "The rate of '\(Printable.name(pattern))' cannot be its own where that of all is 0: give a rate "
        + "above 0."
    }
  }
}
