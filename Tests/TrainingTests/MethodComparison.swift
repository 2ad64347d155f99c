import Foundation
import KnownLosses
import Training

/// A run to its end: the least loss, evaluations when it came close to a minimum and at the end, and why it
/// ended. Evaluations are gradients at a point and products with the curvature.
struct MethodOutcome {
  var loss: Double
  var solvedAt: Int?
  var total: Int
  var ending: StepEnding?
}

/// What `docs/mgh.md` says: each method on each problem beside SciPy's.
struct MethodComparison {
  let columns: [(name: String, outcomes: [MethodOutcome])]

  static let isWritten = ProcessInfo.processInfo.environment["EIGENSTEP_WRITE_TABLES"] != nil
  static let file = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("docs/mgh.md")

  private static let counterparts = ["L-BFGS-B", "BFGS", "trust-ncg"]

  var text: String {
    """
    # Methods with inner iterations on standard problems

    The 35 problems of More, Garbow and Hillstrom (1981), sums of squares with their usual starts, in float64;
    derivatives by Eigenstep's own transforms here, by JAX for SciPy (`Scripts/mgh-scipy.py`). Each cell: evaluations
    until the loss first came within 1e-8 of the start's distance from a known minimum / evaluations to the end. An
    evaluation is a loss with its gradient, or a product with the curvature. Both sides stop at a largest entry of the
    gradient of 1e-8 (trust-ncg at that norm of it) or after 5,000 steps, nystrom-newton-cg after 300. A dash: no known
    minimum was reached. Written by the tests: `EIGENSTEP_WRITE_TABLES=1 swift test --filter MoreGarbowHillstrom`.

    | method | step | hyperparameters |
    |---|---|---|
    \(methods.joined(separator: "\n"))

    \(header)
    \(rows.joined(separator: "\n"))

    ## In total, over what SciPy's counterpart solves

    | method | counterpart | solved | until solved | ratio | to the end | ratio |
    |---|---|---:|---:|---:|---:|---:|
    \(sums.joined(separator: "\n"))

    ## Where no known minimum was reached, and why

    \(failures.joined(separator: "\n"))

    ## Runs that ended for another reason than a small gradient

    \(otherEnds.joined(separator: "\n"))

    """
  }

  private var methods: [String] {
    MethodCatalogue.all.map { entry in
      let settings = entry.hyperparameters.map {
        "`\($0.name)` \(String(format: "%g", $0.standard)): \($0.meaning)"
      }
      return "| `\(entry.name)` | \(entry.formula) | \(settings.joined(separator: "; ")) |"
    }
  }

  private var header: String {
    let names = columns.enumerated().flatMap { index, column in
      index < 3 ? ["SciPy \(Self.counterparts[index])", column.name] : [column.name]
    }
    return "| problem | n | " + names.joined(separator: " | ") + " |\n|---|---:|"
      + names.map { _ in "---:|" }.joined()
  }

  private var rows: [String] {
    scipyRuns.enumerated().map { index, row in
      let cells = columns.enumerated().flatMap { position, column -> [String] in
        let ours = column.outcomes[index]
        let cell = Self.cell(ours.solvedAt, ours.total)
        guard position < 3 else { return [cell] }
        return [Self.cell(row.runs[position].solvedAt, row.runs[position].total), cell]
      }
      return "| \(row.name) | \(row.gradient.count) | " + cells.joined(separator: " | ") + " |"
    }
  }

  private static func cell(_ solved: Int?, _ total: Int) -> String {
    "\(solved.map { "\($0)" } ?? "-") / \(total)"
  }

  private var sums: [String] {
    (0..<3).flatMap { method in
      [[], ["brown-badly-scaled", "meyer"]].prefix(method == 2 ? 2 : 1).map { left -> String in
        let chosen = zip(scipyRuns, columns[method].outcomes).filter {
          $0.0.runs[method].solvedAt != nil && !left.contains($0.0.name)
        }
        let ours = chosen.reduce(0) { $0 + ($1.1.solvedAt ?? $1.1.total) }
        let theirs = chosen.reduce(0) { $0 + $1.0.runs[method].solvedAt! }
        let oursInAll = chosen.reduce(0) { $0 + $1.1.total }
        let theirsInAll = chosen.reduce(0) { $0 + $1.0.runs[method].total }
        let solved = chosen.count { $0.1.solvedAt != nil }
        func ratio(_ a: Int, _ b: Int) -> String { String(format: "%.2f", Double(a) / Double(b)) }
        let name =
          columns[method].name
          + (left.isEmpty ? "" : " without " + left.joined(separator: " and "))
        return "| \(name) | \(Self.counterparts[method]) | \(solved) of \(chosen.count) | "
          + "\(ours) against \(theirs) | \(ratio(ours, theirs)) | "
          + "\(oursInAll) against \(theirsInAll) | \(ratio(oursInAll, theirsInAll)) |"
      }
    }
  }

  private var failures: [String] {
    lines { $0.solvedAt == nil }
  }

  private var otherEnds: [String] {
    lines { $0.solvedAt != nil && $0.ending?.reason != .converged }
  }

  private func lines(_ isMeant: (MethodOutcome) -> Bool) -> [String] {
    let found = columns.flatMap { column in
      zip(scipyRuns, column.outcomes).filter { isMeant($0.1) }.map { row, outcome in
        "- `\(column.name)` on \(row.name), least loss \(String(format: "%.6g", outcome.loss)): "
          + (outcome.ending.map { "\($0.reason.rawValue). \($0.sentence)" }
            ?? "all steps were taken.")
      }
    }
    return found.isEmpty ? ["None."] : found
  }
}
