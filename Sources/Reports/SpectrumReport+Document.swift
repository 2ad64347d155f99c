import Curvature
import Diagnosis
import Presentation

extension SpectrumReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// The report as people read it.
  public var document: Document {
    Document(
      title: subject,
      sections: [
        problem.readingSection, eigenvalueSection, summarySection, densitySection, layerSection,
        closingSection,
      ].compactMap { $0 })
  }

  private var subject: String {
    let size = Wording.count(`operator`.dimension)
    let preconditioned =
      `operator`.preconditioning == "none"
      ? "" : ", preconditioned by \(`operator`.preconditioning)"
    let part =
      `operator`.dimension == problem.parameters
      ? "" : " in \(Wording.list(`operator`.parameters))"
    let place = problem.at == 0 ? "at the start" : "after \(Wording.count(problem.at, "step"))"
    return
      "\(problem.name.map { "\($0): " } ?? "")\(`operator`.kind.rawValue)\(preconditioned)\(part), "
      + "\(size) x \(size), of \(problem.model ?? "a loss"), \(problem.precision); \(place)"
  }

  private var eigenvalueSection: Document.Section {
    func rows(_ name: String, _ pairs: [Pair]) -> [DataTable.Row] {
      pairs.enumerated().map { index, pair in
        let isZero = countsAsZero(pair.value)
        return DataTable.Row([
          index == 0 ? .text(name) : .blank, .number(isZero ? 0 : pair.value),
          .number(pair.residual),
          .text(
            pair.isConverged
              ? (isZero && pair.value != 0 ? "zero to rounding" : "") : "not converged"),
        ])
      }
    }
    let risk =
      failureProbability.flatMap { $0 > 0 ? "but for a chance of \(Wording.number($0))" : nil }
      ?? ""
    func bound(_ name: String, _ value: Double) -> DataTable.Row {
      DataTable.Row([.text(name), .number(value), .blank, .text(risk)], level: 1)
    }
    var all = rows("largest", largest)
    if let upperBound { all.append(bound("at most", upperBound)) }
    all += rows("smallest", smallest)
    if let lowerBound, !smallest.isEmpty { all.append(bound("at least", lowerBound)) }
    let columns: [DataTable.Column] = [
      .words(), DataTable.Column("eigenvalue", .significant(6)), DataTable.Column("residual"),
      .words(),
    ]
    return Document.Section(nil, [.table(DataTable(columns, all))])
  }

  private var summarySection: Document.Section {
    var rows: [DataTable.Row] = []
    func row(_ name: String, _ value: DataTable.Cell, _ remark: String = "") {
      rows.append(DataTable.Row([.text(name), value, .text(remark)]))
    }
    if let effectiveSmallest {
      row(
        "smallest that matters", .number(effectiveSmallest),
        "99 % of 1,000 steps' gain lies above")
    }
    if let effectiveConditionNumber {
      row(
        "effective condition number", .number(effectiveConditionNumber),
        failureProbability == 0 ? "" : "an estimate, which has been off by ten")
    }
    if let interval = intervals?.largest {
      row("largest of a larger sample", .blank, interval.words)
    }
    if let interval = intervals?.smallest {
      row("smallest of a larger sample", .blank, interval.words)
    }
    if let outliers {
      let expected = outliers.classes.map { "; \($0 - 1) or \($0) expected" } ?? ""
      row(
        "outliers", .integer(outliers.count),
        (outliers.separation.map { "\(Wording.number($0)) times the bulk" } ?? "none stands apart")
          + expected)
    }
    if let trace {
      row("trace", .number(trace.value), error(trace.standardError))
      let norm = trace.squaredFrobeniusNorm
      if norm.value > 0 {
        row(
          "Frobenius norm", .number(norm.value.squareRoot()),
          error(norm.standardError / (2 * norm.value.squareRoot())))
      }
    }
    if let diagonal {
      row(
        "diagonal", .blank,
        "\(Wording.number(diagonal.smallest)) to \(Wording.number(diagonal.largest)), "
          + (diagonal.relativeError == 0
            ? "exact"
            : "standard error of an entry up to \(Wording.number(diagonal.largestStandardError))"))
    }
    row("products", .integer(operatorApplications))
    let columns: [DataTable.Column] = [.words(), DataTable.Column("", .significant(4)), .words()]
    return Document.Section(nil, [.table(DataTable(columns, rows))])
  }

  private func error(_ standardError: Double) -> String {
    standardError == 0 ? "exact" : "standard error \(Wording.number(standardError))"
  }

  private var layerSection: Document.Section? {
    guard let layers else { return nil }
    let columns: [DataTable.Column] = [
      .words("layer"), DataTable.Column("parameters"),
      DataTable.Column("sharpness", .significant(4)), DataTable.Column("at most", .significant(4)),
      DataTable.Column("trace", .significant(4)), DataTable.Column("", .plusMinus, side: .left),
    ]
    let rows = layers.map { layer in
      DataTable.Row([
        .text(layer.layer), .integer(layer.parameterCount), .number(layer.sharpness),
        .number(orMissing: layer.upperBound), .number(orMissing: layer.trace),
        layer.traceStandardError.map { $0 == 0 ? .blank : .number($0) } ?? .blank,
      ])
    }
    return Document.Section("Each layer by itself", [.table(DataTable(columns, rows))])
  }

  private var closingSection: Document.Section? {
    let notes = advice + problem.notes
    return notes.isEmpty ? nil : Document.Section("Also", [.notes(notes)])
  }
}

extension SamplingError {
  /// The interval in words.
  var words: String {
    "\(Wording.number(lower)) to \(Wording.number(upper)), "
      + "\(Wording.number(100 * confidence)) % interval"
  }
}
