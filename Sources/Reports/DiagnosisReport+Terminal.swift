import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The report as text for people: the answer first, then the numbers behind it.
  public func terminalText(_ style: TerminalStyle) -> String {
    let sections = [
      style.wrap(subject).map { style.paint($0, .bold) }, answer(style), curvatureLines(style),
      rateLines(style), directionLines(style), prescriptionLines(style), findingLines(style),
    ]
    return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") }
      .joined(separator: "\n\n") + "\n"
  }

  private var subject: String {
    let data =
      problem.features.map {
        "\(Wording.count(problem.samples, "row")), \(Wording.count($0, "feature"))"
      } ?? Wording.count(problem.samples, "sample")
    let isFile = problem.model == problem.name
    let model = [isFile ? nil : problem.model, problem.lossName].compactMap { $0 }
      .joined(separator: ", ")
    let place = problem.at == 0 ? "at the start" : "after \(Wording.count(problem.at, "step"))"
    let name = [problem.name, problem.data].compactMap { $0 }.joined(separator: " on ")
    let layers = problem.layers.map { " in \(Wording.count($0, "layer"))" } ?? ""
    return "\(name.isEmpty ? "" : "\(name): ")\(data); "
      + "\(model.isEmpty ? "" : "\(model), ")\(Wording.count(problem.parameters, "parameter"))"
      + "\(layers), "
      + "\(problem.precision); \(place)"
  }

  private func curvatureLines(_ style: TerminalStyle) -> [String] {
    var rows: [[String]] = []
    func row(_ name: String, _ value: Double?, _ remark: String) {
      rows.append([name, value.map { Wording.number($0, digits: 4) } ?? "-", remark])
    }
    let bound = curvature.largest.upperBound.map { "at most \(Wording.number($0, digits: 4))" }
    let risk = curvature.largest.failureProbability.flatMap {
      $0 > 0 ? ", but for a chance of \(Wording.number($0))" : nil
    }
    row("sharpest (largest eigenvalue)", curvature.largest.value, (bound ?? "") + (risk ?? ""))
    if let sampling = curvature.largestOnLargerSample {
      rows.append([
        "  on a larger sample", "",
        "\(Wording.number(sampling.lower)) to \(Wording.number(sampling.upper)), "
          + "\(Wording.number(100 * sampling.confidence)) % interval",
      ])
    }
    if let all = curvature.largestOnAllSamples {
      row(
        "  on all \(Wording.count(all.samples)) samples", all.value,
        "to within \(Wording.number(all.residual))")
    }
    row(
      "flattest (smallest eigenvalue)", curvature.smallest.value.map(rounded),
      curvature.smallest.value.map { isZero($0) && $0 != 0 ? "to rounding" : "" } ?? "")
    let positive = curvature.smallestPositive?.value
    if let positive, positive != curvature.smallest.value {
      row("smallest above zero", positive, "")
    }
    row(
      "smallest that matters", curvature.effectiveSmallest,
      "99 % of what 1,000 steps can gain lies above")
    let severity = curvature.severity?.meaning ?? ""
    // The spread of the curvatures that are not zero.
    var spread = curvature.conditionNumber
    if let known = spread {
      row("condition number", known, severity)
    } else if curvature.indefinite {
      row("condition number", nil, "none: the loss curves downwards somewhere")
    } else if let largest = curvature.largest.value, let positive {
      spread = largest / positive
      row("condition number", nil, "infinite: some directions are flat")
      row("condition number of the others", spread, severity)
    } else {
      row("condition number", nil, curvature.largest.value == nil ? "" : "not resolved")
    }
    row(
      "effective condition number", curvature.effectiveConditionNumber,
      curvature.largest.failureProbability.map { $0 > 0 } == true
        && curvature.effectiveConditionNumber != nil
        ? "an estimate, which has been off by ten" : "")
    if let other = curvature.gaussNewtonConditionNumber,
      spread.map({ abs(other - $0) > 1e-6 * $0 }) ?? true
    {
      row("of the convex part (Gauss-Newton)", other, "")
    }
    let text = TextTable(columns: ["", "", ""], rows: rows, leftAligned: [0, 2]).lines()
    return [style.paint("Curvature", .bold)] + text.rows.flatMap { cut($0, style) }
  }

  /// Whether an eigenvalue counts as zero.
  private func isZero(_ eigenvalue: Double) -> Bool {
    abs(eigenvalue) <= curvature.zeroThreshold ?? 0
  }

  private func rounded(_ eigenvalue: Double) -> Double { isZero(eigenvalue) ? 0 : eigenvalue }

  private func rateLines(_ style: TerminalStyle) -> [String] {
    var rows: [[String]] = []
    func row(_ name: String, _ value: Double?, _ remark: String) {
      guard let value else { return }
      rows.append([name, Wording.number(value), remark])
    }
    row(
      "stability limit", learningRate.stabilityLimit,
      advice.basis.isQuadratic ? "training diverges above" : "training is locally unstable above")
    row("minimax rate", learningRate.minimax, "best for the worst direction, near the limit")
    if let verdict = learningRate.verdict {
      row("your rate", learningRate.given, verdict.rawValue)
    }
    if let iterations = prediction.iterations, let rate = prediction.rate {
      rows.append([
        "steps predicted", Wording.count(iterations),
        "at \(Wording.number(rate)), to a relative gap of \(Wording.number(prediction.tolerance))",
      ])
    }
    guard !rows.isEmpty else { return [] }
    let text = TextTable(columns: ["", "", ""], rows: rows, leftAligned: [0, 2]).lines()
    return [style.paint("Learning rate", .bold)] + text.rows.flatMap { cut($0, style) }
  }

  private func directionLines(_ style: TerminalStyle) -> [String] {
    var lines: [String] = []
    var marks: [RateAxis.Mark] = []
    if let given = learningRate.given { marks.append(.init(label: "your rate", rate: given)) }
    if let limit = learningRate.stabilityLimit { marks.append(.init(label: "limit", rate: limit)) }
    if let axis = RateAxis(directions: directions, marks: marks) {
      lines += [style.paint("The learning rate that each direction wants", .bold)]
      lines += axis.lines(width: style.width)
    }
    let shown = directions.count <= 8 ? directions : directions.prefix(4) + directions.suffix(4)
    guard !shown.isEmpty else { return lines }
    let table = TextTable(
      columns: ["curvature", "ideal rate", "error kept", "steps", ""],
      rows: shown.map { row in
        [
          Wording.number(rounded(row.eigenvalue)), row.idealRate.map { Wording.number($0) } ?? "-",
          isZero(row.eigenvalue) ? "1" : row.contraction.map(kept) ?? "-",
          row.iterations.map { Wording.count($0) } ?? "never", row.regime?.rawValue ?? "",
        ]
      }, leftAligned: [4]
    ).lines()
    if let rate = prediction.rate {
      lines += style.wrap(
        "At \(Wording.number(rate)): the error kept per step, and steps until the direction's part of "
          + "the gap is \(Wording.number(prediction.tolerance)) of what it was.", indent: 2)
    }
    lines.append(style.paint(table.heading, .dim))
    lines += table.rows
    if shown.count < directions.count {
      lines.append("  (the 4 sharpest and the 4 flattest of \(Wording.count(problem.parameters)))")
    }
    return lines
  }

  /// A factor next to one as its distance from one, which is what counts.
  private func kept(_ factor: Double) -> String {
    let lost = 1 - abs(factor)
    guard lost != 0, abs(lost) < 1e-4 else { return Wording.number(factor, digits: 4) }
    let sign = lost > 0 ? "-" : "+"
    return "\(factor < 0 ? "-(" : "")1 \(sign) \(Wording.number(abs(lost), digits: 2))"
      + (factor < 0 ? ")" : "")
  }

  private func findingLines(_ style: TerminalStyle) -> [String] {
    let rest =
      findings.filter { advice.also.contains($0.id) }.map(\.sentence) + problem.notes
    guard !rest.isEmpty else { return [] }
    return [style.paint("Also", .bold)]
      + rest.flatMap { style.wrap("- \($0)", indent: 2, hanging: 4) }
  }

  /// A table line that is too wide loses its remark to the next lines.
  private func cut(_ line: String, _ style: TerminalStyle) -> [String] {
    guard line.count > style.width, let split = line.range(of: "  ", options: .backwards) else {
      return [line]
    }
    let remark = String(line[split.upperBound...])
    var head = String(line[..<split.lowerBound])
    while head.hasSuffix(" ") { head.removeLast() }
    return [head] + style.wrap(remark, indent: 6)
  }
}
