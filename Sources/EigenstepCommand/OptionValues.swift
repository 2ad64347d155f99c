import ArgumentParser
import Diagnosis
import Foundation
import Presentation
import Training

/// An optimizer of the catalogue, with hyperparameters where they are named: `adam:epsilon=1e-6,beta2=0.99`.
struct OptimizerName: ExpressibleByArgument, CustomStringConvertible, Equatable {
  let name: String
  let hyperparameters: [String: Double]

  init() { (name, hyperparameters) = (OptimizerSetting().name, [:]) }

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let entry = OptimizerCatalogue.named(String(parts[0])) else { return nil }
    var values: [String: Double] = [:]
    for item in parts.dropFirst().flatMap({ $0.split(separator: ",") }) {
      let sides = item.split(separator: "=")
      guard sides.count == 2, let value = Double(sides[1]) else { return nil }
      values[String(sides[0])] = value
    }
    guard (try? entry.make(values)) != nil else { return nil }
    (name, hyperparameters) = (entry.name, values)
  }

  var description: String { name }
  static var allValueStrings: [String] { OptimizerCatalogue.all.map(\.name) }
  var defaultValueDescription: String { name }
}

extension PrecisionChoice: ExpressibleByArgument {}
extension ExecutorChoice: ExpressibleByArgument {}
extension MissingValues: ExpressibleByArgument {}
extension LossReduction: ExpressibleByArgument {}

/// Readings of option values; each refusal names the value and says what would do.
package enum OptionValue {
  /// `2GiB`, `512MiB`, `1.5GB`, `4096`: bytes.
  package static func bytes(_ text: String) throws -> Int {
    let units: [(String, Double)] = [
      ("kib", 1024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("tib", 1_099_511_627_776),
      ("kb", 1e3), ("mb", 1e6), ("gb", 1e9), ("tb", 1e12), ("b", 1), ("", 1),
    ]
    let lower = text.lowercased()
    for (suffix, factor) in units where lower.hasSuffix(suffix) {
      let digits = lower.dropLast(suffix.count).trimmingCharacters(in: .whitespaces)
      guard digits.allSatisfy({ $0.isNumber || $0 == "." }), let value = Double(digits),
        value > 0, value * factor < 9e18, value * factor >= 1
      else { break }
      return Int(value * factor)
    }
    throw ValidationError("The memory size '\(text)' is not a size such as 2GiB, 512MiB or 1.5GB.")
  }

  /// Column names between commas; quotes keep a comma inside a name.
  package static func names(_ text: String) throws -> [String] {
    var names: [String] = []
    var current = ""
    var isQuoted = false
    for character in text {
      if character == "\"" {
        isQuoted.toggle()
      } else if character == ",", !isQuoted {
        names.append(current)
        current = ""
      } else {
        current.append(character)
      }
    }
    names.append(current)
    names = names.map { $0.trimmingCharacters(in: .whitespaces) }
    guard !isQuoted, names.allSatisfy({ !$0.isEmpty }) else {
      throw ValidationError(
        "The column list '\(text)' must be names between commas, such as a,b,c.")
    }
    return names
  }

  /// `init`, or a whole number of steps.
  package static func steps(_ text: String) throws -> Int {
    if text == "init" { return 0 }
    guard let steps = Int(text), (0...TrainingSetup.mostSteps).contains(steps) else {
      throw ValidationError(
        "The point '\(text)' must be init or a number of steps such as 100, at most "
          + "\(Wording.count(TrainingSetup.mostSteps)).")
    }
    return steps
  }

  /// Refuses threads that the machine has no processors for: they would only wait for one another.
  package static func checkThreads(
    _ threads: Int, processors: Int = ProcessInfo.processInfo.activeProcessorCount
  ) throws {
    try check(threads, "--threads", atLeast: 1)
    guard threads <= max(1, processors) else {
      throw ValidationError(
        "--threads is \(threads), but this machine has "
          + "\(Wording.count(max(1, processors), "processor")); give at most as many, or leave it out."
      )
    }
  }

  package static func model(_ text: String) throws -> ModelChoice {
    do {
      return try ModelChoice(text)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// `name`, or with numbers of it `name:a=1,b=2`.
  static func nameAndNumbers(_ text: String) throws -> (name: String, values: [String: Double]) {
    let sides = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    var values: [String: Double] = [:]
    for item in sides.dropFirst().flatMap({
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }) {
      let pair = item.split(separator: "=", omittingEmptySubsequences: false)
      guard pair.count == 2, !pair[0].isEmpty, let value = Double(pair[1]) else {
        throw ValidationError(
          "'\(Printable.line(String(item)))' in '\(Printable.line(text))' is no name and number, such as "
            + "beta2=0.99.")
      }
      guard values.updateValue(value, forKey: String(pair[0])) == nil else {
        throw ValidationError(
          "'\(Printable.line(text))' gives '\(Printable.line(String(pair[0])))' twice; give it once."
        )
      }
    }
    return (String(sides[0]), values)
  }

  /// The options that a request's fields are given by.
  private static let options = [
    "training.rate": "The learning rate --lr", "training.steps": "--at",
    "training.batch": "--batch", "training.sampling": "--sampling", "problem.table.l2": "--l2",
    "problem.model.l2": "--l2",
    "problem.model.samples": "--samples", "problem.model": "--model",
    "resources.seed": "--seed", "resources.memory": "--memory", "resources.threads": "--threads",
    "resources.effort": "--effort", "trials.tolerance": "--tolerance",
    "trials.maxIterations": "--max-iterations", "count": "--count", "tolerance": "--tolerance",
    "densityError": "--error", "rate": "The learning rate --lr", "warmUp": "--warm-up",
    "batches": "--batch", "batches.size": "--batch", "batches.accumulation": "--accumulate",
    "epochs": "--epochs", "steps": "--steps", "rules.clipValue": "--clip-value",
    "rules.clipNorm": "--clip-norm", "rules.weightDecay": "--weight-decay",
    "heldOut.share": "--held-out", "patience": "--patience", "files.kept": "--keep-checkpoints",
    "files.checkpointPeriod": "--checkpoint-every", "files.resumes": "--resume",
    "files.saved": "--save", "files.checkpoints": "--checkpoint", "heldOut": "--held-out",
    "then": "--then", "switching": "--switch", "schedule": "--schedule", "guarding": "--guard",
    "rules.rates": "--rate",
    "rules": "One of --clip-value, --clip-norm, --weight-decay, --no-decay, --rate and --rate-file",
    "rules.undecayed": "--no-decay", "trackers": "--track", "problem.table.features": "--features",
    "problem.table.dropped": "--drop", "rates.lower": "The lower rate of --lr",
    "rates.upper": "The upper rate of --lr", "rates.count": "The count of --lr",
    "batch": "--batch", "seeds": "--seeds", "sampling": "--sampling",
  ]

  /// Refuses a number that an option of its own and the optimizer's name give differently.
  static func checkAgrees(
    _ value: Double, _ option: String, _ optimizer: String, with own: (name: String, value: Double)
  ) throws {
    guard own.value != value else { return }
    throw ValidationError(
      "\(option) is \(value), and --optimizer \(optimizer):\(own.name)=\(own.value) says otherwise; give one "
        + "of the two.")
  }

  /// Refusals of a request in words of the options that made it.
  package static func checking(_ check: () throws -> Void) throws {
    do { try check() } catch let error as RequestError {
      let factor = "rules.rates factor of "
      let option =
        options[error.field]
        ?? (error.field.hasPrefix(factor)
          ? "The factor of --rate for \(error.field.dropFirst(factor.count))" : error.field)
      throw ValidationError("\(option) \(named(error.complaint)).")
    }
  }

  /// A complaint with the fields between backticks as the options that they are given by.
  private static func named(_ complaint: String) -> String {
    let parts = complaint.split(separator: "`", omittingEmptySubsequences: false)
    return parts.enumerated().map { index, part in
      guard index % 2 == 1 else { return String(part) }
      return options[String(part)] ?? "`\(part)`"
    }.joined()
  }

  /// - Parameter requirement: what the value must be, to be read after "must be".
  package static func check(
    _ value: Double, _ option: String, _ requirement: String, _ holds: (Double) -> Bool
  ) throws {
    guard value.isFinite, holds(value) else {
      throw ValidationError("\(option) is \(value), but it must be \(requirement).")
    }
  }

  package static func check(
    _ value: Int, _ option: String, atLeast least: Int, atMost most: Int = .max
  ) throws {
    guard value >= least else {
      throw ValidationError("\(option) is \(value), but it must be at least \(least).")
    }
    guard value <= most else {
      throw ValidationError("\(option) is \(value), but it must be at most \(Wording.count(most)).")
    }
  }
}
