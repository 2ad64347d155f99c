import Curvature
import Diagnosis
import Foundation
import LinearMaps
import Presentation

extension SpectrumReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String {
    let sections = [
      subject(style), eigenvalueLines(style), summaryLines(style), densityLines(style),
      layerLines(style), adviceLines(style),
    ]
    return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
      .joined(separator: "\n\n") + "\n"
  }

  private func subject(_ style: TerminalStyle) -> [String] {
    let size = Wording.count(`operator`.dimension)
    let preconditioned =
      `operator`.preconditioning == "none"
      ? "" : ", preconditioned by \(`operator`.preconditioning)"
    let part =
      `operator`.dimension == problem.parameters
      ? "" : " in \(Wording.list(`operator`.parameters))"
    let place = problem.at == 0 ? "at the start" : "after \(Wording.count(problem.at, "step"))"
    return style.wrap(
      "\(problem.name.map { "\($0): " } ?? "")\(`operator`.kind.rawValue)\(preconditioned)\(part), "
        + "\(size) x \(size), of \(problem.model ?? "a loss"), \(problem.precision); \(place)"
    ).map { style.paint($0, .bold) }
  }

  private func eigenvalueLines(_ style: TerminalStyle) -> [String] {
    func rows(_ name: String, _ pairs: [Pair]) -> [[String]] {
      pairs.enumerated().map { index, pair in
        let isZero = abs(pair.value) <= zeroThreshold ?? 0
        return [
          index == 0 ? name : "", isZero ? "0" : Wording.number(pair.value, digits: 6),
          Wording.number(pair.residual),
          pair.isConverged
            ? (isZero && pair.value != 0 ? "zero to rounding" : "") : "not converged",
        ]
      }
    }
    var all = rows("largest", largest)
    if let upperBound {
      all.append(["  at most", Wording.number(upperBound, digits: 6), "", risk])
    }
    all += rows("smallest", smallest)
    if let lowerBound, !smallest.isEmpty {
      all.append(["  at least", Wording.number(lowerBound, digits: 6), "", risk])
    }
    let table = TextTable(
      columns: ["", "eigenvalue", "residual", ""], rows: all, leftAligned: [0, 3]
    ).lines()
    return [style.paint(table.heading, .dim)] + table.rows
  }

  private var risk: String {
    failureProbability.flatMap { $0 > 0 ? "but for a chance of \(Wording.number($0))" : nil } ?? ""
  }

  private func summaryLines(_ style: TerminalStyle) -> [String] {
    var rows: [[String]] = []
    func row(_ name: String, _ value: String, _ remark: String = "") {
      rows.append([name, value, remark])
    }
    if let effectiveSmallest {
      row(
        "smallest that matters", Wording.number(effectiveSmallest, digits: 4),
        "99 % of 1,000 steps' gain lies above")
    }
    if let effectiveConditionNumber {
      row(
        "effective condition number", Wording.number(effectiveConditionNumber, digits: 4),
        failureProbability == 0 ? "" : "an estimate, which has been off by ten")
    }
    func interval(_ name: String, _ error: SamplingError?) {
      guard let error else { return }
      row(
        "\(name) of a larger sample", "",
        "\(Wording.number(error.lower)) to \(Wording.number(error.upper)), "
          + "\(Wording.number(100 * error.confidence)) % interval")
    }
    interval("largest", intervals?.largest)
    interval("smallest", intervals?.smallest)
    if let outliers {
      let expected = outliers.classes.map { "; \($0 - 1) or \($0) expected" } ?? ""
      row(
        "outliers", "\(outliers.count)",
        (outliers.separation.map { "\(Wording.number($0)) times the bulk" } ?? "none stands apart")
          + expected)
    }
    if let trace {
      row("trace", Wording.number(trace.value, digits: 4), error(trace.standardError))
      let norm = trace.squaredFrobeniusNorm
      if norm.value > 0 {
        row(
          "Frobenius norm", Wording.number(norm.value.squareRoot(), digits: 4),
          error(norm.standardError / (2 * norm.value.squareRoot())))
      }
    }
    if let diagonal {
      row(
        "diagonal", "",
        "\(Wording.number(diagonal.smallest)) to \(Wording.number(diagonal.largest)), "
          + (diagonal.relativeError == 0
            ? "exact"
            : "standard error of an entry up to \(Wording.number(diagonal.largestStandardError))"))
    }
    row("products", Wording.count(operatorApplications))
    let table = TextTable(columns: ["", "", ""], rows: rows, leftAligned: [0, 2]).lines()
    return table.rows
  }

  private func error(_ standardError: Double) -> String {
    standardError == 0 ? "exact" : "standard error \(Wording.number(standardError))"
  }

  private func layerLines(_ style: TerminalStyle) -> [String] {
    guard let layers else { return [] }
    let table = TextTable(
      columns: ["layer", "parameters", "sharpness", "at most", "trace", ""],
      rows: layers.map { layer in
        [
          layer.layer, Wording.count(layer.parameterCount),
          Wording.number(layer.sharpness, digits: 4),
          layer.upperBound.map { Wording.number($0, digits: 4) } ?? "-",
          layer.trace.map { Wording.number($0, digits: 4) } ?? "-",
          layer.traceStandardError.map { $0 == 0 ? "" : "+- \(Wording.number($0))" } ?? "",
        ]
      }, leftAligned: [0, 5]
    ).lines()
    return [style.paint("Each layer by itself", .bold), style.paint(table.heading, .dim)]
      + table.rows
  }

  private func adviceLines(_ style: TerminalStyle) -> [String] {
    let notes = advice + problem.notes
    guard !notes.isEmpty else { return [] }
    return [style.paint("Also", .bold)]
      + notes.flatMap { style.wrap("- " + $0, indent: 2, hanging: 4) }
  }
}
