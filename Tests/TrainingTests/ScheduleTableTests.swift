import Foundation
import Testing

@testable import Training

/// `docs/schedules.md` against the catalogue that it is written from.
@Suite struct ScheduleTableTests {
  static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../docs/schedules.md").standardizedFileURL

  private func number(_ value: Double) -> String {
    if value == value.rounded(), abs(value) < 1e15 { return "\(Int(value))" }
    let digits = String(format: "%.4g", value)
    return digits
  }

  private var table: String {
    let rows = ScheduleCatalogue.all.map { entry in
      let formula = entry.formula.replacingOccurrences(of: "|", with: "\\|")
      return "| `\(entry.name)` | \(formula) | \(entry.source ?? "") |"
    }
    let settings = ScheduleCatalogue.all.flatMap { entry in
      entry.hyperparameters.map {
        "| `\(entry.name)` | `\($0.name)` | \(number($0.standard)) | \($0.range) | \($0.meaning) |"
      }
    }
    return """
      # Schedules

      The learning rate of step `t` of `T`, counted from 0, from the rate that was given. A stretch above 1 is that
      many steps; up to 1 it is a share of the run, so that no schedule needs a setting to fit a run. A linear
      warm-up can stand before any: `W` steps at `(t + 1) / (W + 1)` of the schedule's first rate, and then the
      schedule over the rest of the run. Where a scheduler of PyTorch or optax has the same rule, the rates agree
      with it to 1e-10 over 130 steps (`Scripts/schedule-goldens.py`).

      The last three measure the loss as the run goes on, on a fixed sample or on all samples: the largest
      eigenvalue by a warm-started Lanczos, slope and curvature along the optimizer's update `u` by one Hessian
      product, or the rate at which the loss along it would not fall by five to six values of the loss. What they
      need to go on is part of a checkpoint. They need no rate; one that is given is the largest that they take, and
      the one that is used where nothing could be measured yet. They take at most `ceiling` times the first rate that
      they measured, and halve the rate at each step whose loss rises more than a fifth above that of the first: as a loss comes down to zero its curvature does too, and the curvature of all samples
      knows nothing of the noise of batches. For an optimizer that divides its steps, `lambda_max` is that of the
      divided Hessian, and at least the curvature along the next step over its slope. This file is written by the tests:
      `EIGENSTEP_WRITE_TABLES=1 swift test --filter ScheduleTable`.

      | schedule | rate | source |
      |---|---|---|
      \(rows.joined(separator: "\n"))

      ## Settings

      | schedule | setting | default | must be | meaning |
      |---|---|---:|---|---|
      \(settings.joined(separator: "\n"))

      """
  }

  /// With EIGENSTEP_WRITE_TABLES set, writes the file instead.
  @Test func tableIsCurrent() throws {
    if ProcessInfo.processInfo.environment["EIGENSTEP_WRITE_TABLES"] != nil {
      try table.write(to: Self.file, atomically: true, encoding: .utf8)
      return
    }
    let committed = (try? String(contentsOf: Self.file, encoding: .utf8)) ?? ""
    #expect(
      committed == table,
      "docs/schedules.md is out of date: EIGENSTEP_WRITE_TABLES=1 swift test --filter ScheduleTable"
    )
  }

  @Test func everyScheduleButTheConstantHasASource() {
    for entry in ScheduleCatalogue.all where entry.name != ScheduleCatalogue.standard {
      #expect(entry.source?.isEmpty == false, "\(entry.name)")
    }
  }
}
