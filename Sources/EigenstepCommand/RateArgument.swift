import ArgumentParser
import Diagnosis

/// What `--lr` may be: a number, or for a sweep rates from a lower to an upper one.
enum RateArgument: ExpressibleByArgument {
  case number(Double)
  case range(RateRange)

  init?(argument: String) {
    if let number = Double(argument) {
      self = .number(number)
    } else if let range = RateRange(argument) {
      self = .range(range)
    } else {
      return nil
    }
  }

  var value: Double? { if case .number(let value) = self { value } else { nil } }
  var range: RateRange? { if case .range(let range) = self { range } else { nil } }

  /// - Throws: `ValidationError` for several rates, which only a sweep takes.
  func checkIsNumber() throws {
    guard let range else { return }
    throw ValidationError(
      "--lr \(range.lower):\(range.upper):\(range.count) is a range of rates, which only 'eigenstep sweep' "
        + "takes; give one number.")
  }
}
