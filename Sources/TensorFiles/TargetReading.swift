import Presentation

/// How a target of numbers was read, where nobody said how: as classes or as quantities.
///
/// Whole numbers name classes where all of this holds:
///
/// - there are at least two different ones and at most `TabularData.integerClassLimit`;
/// - each is met at least `TargetReading.timesMet` times on average, so that there is a class to learn;
/// - they look like codes: all of `0...K-1`, all of `1...K`, or `-1` and `1`.
///
/// All other numbers are quantities: a handful of scores is a regression, however few differ. Words are
/// classes always. Numbers beyond 2^53 in size are not told apart and are quantities too.
struct TargetReading: Equatable {
  /// How often each class must be met on average.
  static let timesMet = 5

  let isClasses: Bool
  /// Why, to be read after "since".
  let reason: String

  /// - Parameters:
  ///   - distinct: the numbers that differ, in ascending order, no more than one above the limit.
  ///   - rows: of the table.
  init(distinct: [Double], rows: Int) {
    let count = distinct.count
    let limit = TabularData.integerClassLimit
    guard count <= limit else {
      self.init(false, "more than \(limit) different ones occur")
      return
    }
    guard count > 1 else {
      self.init(false, "they are all the same")
      return
    }
    let met = "each of the \(count) is met \(Self.times(rows, count)) on average"
    guard Self.areCodes(distinct) else {
      let span = "\(shortest(distinct[0])) to \(shortest(distinct[count - 1]))"
      self.init(
        false,
        "their \(count) values, \(span), are not codes such as 0 to \(count - 1) or 1 to \(count)")
      return
    }
    guard rows >= Self.timesMet * count else {
      self.init(false, "\(met), and a class wants \(Self.timesMet)")
      return
    }
    self.init(true, "they look like codes and \(met)")
  }

  private init(_ isClasses: Bool, _ reason: String) {
    (self.isClasses, self.reason) = (isClasses, reason)
  }

  /// All of `0...K-1`, all of `1...K`, or -1 and 1.
  static func areCodes(_ distinct: [Double]) -> Bool {
    if distinct == [-1, 1] { return true }
    guard let first = distinct.first, first == 0 || first == 1 else { return false }
    return distinct.enumerated().allSatisfy { $1 == first + Double($0) }
  }

  /// What words are that are quantities all the same, such as `5 %`, `$1,200` or dates; nil for others.
  static func quantity(_ labels: [String]) -> String? {
    let signs: Set<Character> = ["%", "$", "€", "£", "¥", " "]
    func isNumber(_ label: String) -> Bool {
      let plain = String(label.filter { !signs.contains($0) })
      return NumberSpelling.allCases.contains { $0.value(plain) != nil }
    }
    if labels.allSatisfy(isNumber) { return "numbers with signs" }
    return labels.allSatisfy { DateSpelling.matches($0) } ? "dates or times" : nil
  }

  private static func times(_ rows: Int, _ count: Int) -> String {
    let mean = (10 * Double(rows) / Double(count)).rounded(.down) / 10
    return mean == 1 ? "once" : "\(shortest(mean)) times"
  }

  /// The reading in a report's first lines.
  ///
  /// - Parameters:
  ///   - name: of the target.
  ///   - choices: the options that choose.
  func reading(of name: String, _ choices: TabularData.TargetChoices) -> Reading {
    isClasses
      ? Reading(
        "target-as-classes",
        "`\(name)` holds whole numbers, taken for classes, since \(reason); \(choices.numbers) fits "
          + "them as numbers.", names: [name])
      : Reading(
        "target-as-numbers",
        "`\(name)` holds whole numbers, taken as numbers, since \(reason); \(choices.classes) takes "
          + "them for classes.", names: [name])
  }
}

extension TabularData {
  /// The options that choose how a target is read, as a reading names them.
  public struct TargetChoices: Sendable {
    public var numbers: String
    public var classes: String

    public init(numbers: String, classes: String) {
      (self.numbers, self.classes) = (numbers, classes)
    }

    /// Of a model that the target chooses.
    public static let model = Self(numbers: "--model linear", classes: "--model softmax")
    /// Of a network, which takes either.
    public static let loss = Self(
      numbers: "--loss half-squared-error", classes: "--loss cross-entropy")
  }
}
