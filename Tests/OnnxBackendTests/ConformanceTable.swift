import Foundation

@testable import OnnxBackend

/// What `docs/operators.md` says, from the outcomes of all cases.
struct ConformanceTable {
  private let outcomes: [(name: String, outcome: ConformanceCase.Outcome)]

  static let file = ConformanceCase.root.appendingPathComponent("docs/operators.md")

  /// Whether the tests write the file.
  static let isWritten = ProcessInfo.processInfo.environment["EIGENSTEP_WRITE_TABLES"] != nil

  /// Whether the file is to be as these cases make it: those of another version of the package differ.
  static let isOfTheseCases: Bool = {
    guard let version = ConformanceCase.version else { return false }
    let committed = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    // A table that is missing is out of date as well.
    return isWritten || committed.isEmpty || committed.contains("onnx \(version)")
  }()

  init(_ cases: [ConformanceCase]) { outcomes = cases.map { ($0.name, $0.outcome) } }

  var text: String {
    let passed = outcomes.filter { $0.outcome.skipped == nil && $0.outcome.failures.isEmpty }
    let sets = ModelCheck.operatorSets
    return """
      # Operators

      What can be imported from ONNX, in the operator sets \(sets.lowerBound) to \(sets.upperBound). \
      Of the \(outcomes.count) single-operator cases of
      onnx \(ConformanceCase.version ?? "?"), \(passed.count) pass on ONNX Runtime and on the \
      interpreter. A derivative is checked in float64, the
      first against differences and by inner products, the second against differences and for its
      symmetry. Where the package has no case, ONNX Runtime's own kernels are what the tests compare with, over
      small graphs of sequences, grids, signals and classical models, and over scikit-learn's exports. This file
      is written by the tests: `EIGENSTEP_WRITE_TABLES=1 swift test --filter Conformance`.

      A sequence is followed while the model is read: its length must be known then. The coefficients of
      `LinearClassifier` and `LinearRegressor` are attributes of the file and parameters here, `NODE.coefficients`
      and `NODE.intercepts`; two rows that are each other's negative are one. Windows, mel weights and Fourier
      transforms are constants, the transforms as products with a matrix.

      float16 and bfloat16 are computed with in float32 (or float64), integers of other widths in 64
      bits. The integers of a quantised model are real numbers here: weights are the numbers that they
      stand for and can be trained; activations keep the range of their integers and are not rounded,
      so that their derivative is that of the straight-through estimator. A case of such an operator
      passes within half an integer. Operators of com.microsoft, for which there are no cases, are
      tested in whole models against ONNX Runtime's outputs.

      | operator | cases passed | first derivative | second derivative | skipped |
      |---|---:|---:|---:|---:|
      \(rows.joined(separator: "\n"))

      ## Skipped cases of these operators

      \(skipped.joined(separator: "\n"))

      ## Operators outside of the catalogue

      \(missing)

      """
  }

  private var rows: [String] {
    let byOperation = Dictionary(grouping: outcomes, by: \.outcome.operation)
    return OperatorCatalogue.all.map { rule -> (String, String) in
      let name = rule.domain.isEmpty ? rule.name : "\(rule.domain).\(rule.name)"
      let own = (byOperation[name] ?? []).map(\.outcome)
      let run = own.filter { $0.skipped == nil && $0.failures.isEmpty }
      func number(_ count: Int) -> String { count == 0 ? "" : "\(count)" }
      let first = run.filter { $0.firstDerivative == .checked }.count
      let second = run.filter { $0.secondDerivative == .checked }.count
      return (
        name,
        "| \(name) | \(run.count) | \(number(first)) | \(number(second)) | "
          + "\(number(own.count - run.count)) |"
      )
    }.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private static let missingPrefix = "no rule for "

  private var skipped: [String] {
    let own = outcomes.filter {
      !($0.outcome.skipped?.hasPrefix(Self.missingPrefix) ?? true)
    }
    return Dictionary(grouping: own) { $0.outcome.skipped! }
      .sorted { $0.key < $1.key }
      .map { reason, cases in
        "- \(reason) (\(cases.count)): \(cases.map { "`\($0.name.dropFirst(5))`" }.joined(separator: ", "))"
      }
  }

  private var missing: String {
    let reasons = outcomes.compactMap { $0.outcome.skipped }
      .filter { $0.hasPrefix(Self.missingPrefix) }
    let names = Dictionary(
      grouping: reasons.map { String($0.dropFirst(Self.missingPrefix.count)) }, by: { $0 })
    return names.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value.count))" }
      .joined(separator: "; ") + "."
  }
}
