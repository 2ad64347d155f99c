import Presentation

/// A number that a lab can be told.
public struct LabParameter: Sendable, Equatable {
  public let name: String
  /// In the full setting.
  public let value: Double
  /// In the small one.
  public let smallValue: Double
  public let unit: String?
  public let range: ClosedRange<Double>
  public let isWhole: Bool
  /// What it is, in a sentence without its full stop.
  public let sentence: String

  /// - Parameter small: the value in the small setting; nil for the same.
  /// - Precondition: both values lie in the range, and are whole numbers where they have to be.
  public init(
    _ name: String, _ value: Double, small: Double? = nil, unit: String? = nil,
    range: ClosedRange<Double>, isWhole: Bool = false, _ sentence: String
  ) {
    self.name = name
    self.value = value
    smallValue = small ?? value
    self.unit = unit
    self.range = range
    self.isWhole = isWhole
    self.sentence = sentence
    precondition(fault(value) == nil && fault(smallValue) == nil, "the default of \(name)")
  }

  public func defaultValue(_ setting: LabContext.Setting) -> Double {
    switch setting {
    case .small: smallValue
    case .full: value
    }
  }

  /// For a list of parameters: `tolerance=1e-6 (1e-12 to 0.1): what it is`.
  public var summary: String {
    let isPlain = value == value.rounded() && abs(value) < 1e6
    let text = isPlain ? "\(Int(value))" : Wording.number(value)
    return "\(name)=\(text) (\(bounds)\(unit.map { " \($0)" } ?? "")): \(sentence)"
  }

  private var bounds: String {
    "\(Wording.number(range.lowerBound)) to \(Wording.number(range.upperBound))"
  }

  /// Why it cannot have a value; nil where it can.
  func fault(_ value: Double) -> String? {
    if range.contains(value), !isWhole || value == value.rounded() { return nil }
    return "The parameter \(name) is \(isWhole ? "a whole number" : "a number") from \(bounds)"
      + "\(unit.map { " in \($0)" } ?? ""), not \(Wording.number(value, digits: 6))."
  }
}
