import Diagnosis
import LinearMaps
import Presentation

extension OperatorReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// The report as people read it.
  public var document: Document {
    Document(
      title:
        "symmetric operator, \(Wording.count(dimension)) x \(Wording.count(dimension)), \(precision)",
      sections: [eigenvalueSection, estimateSection, closingSection].compactMap { $0 })
  }

  private var eigenvalueSection: Document.Section? {
    guard !largest.isEmpty || !smallest.isEmpty else { return nil }
    func rows(_ name: String, _ pairs: [SpectrumReport.Pair]) -> [DataTable.Row] {
      pairs.enumerated().map { index, pair in
        DataTable.Row([
          index == 0 ? .text(name) : .blank, .number(pair.value), .number(pair.residual),
          .text(pair.isConverged ? "" : "not converged"),
        ])
      }
    }
    let risk = failureProbability.map { "but for a chance of \(Wording.number($0))" } ?? ""
    func bound(_ name: String, _ value: Double?) -> [DataTable.Row] {
      value.map { [DataTable.Row([.text(name), .number($0), .blank, .text(risk)], level: 1)] }
        ?? []
    }
    var all = rows("largest", largest)
    if !largest.isEmpty { all += bound("at most", upperBound) }
    all += rows("smallest", smallest)
    if !smallest.isEmpty { all += bound("at least", lowerBound) }
    if let conditionNumber {
      let upper = conditionNumberInterval?.upper
      all.append(
        DataTable.Row([
          .text("condition number"), .number(conditionNumber), .blank,
          .text(upper.map { "at most \(Wording.number($0))" } ?? ""),
        ]))
    }
    let columns: [DataTable.Column] = [
      .words(), DataTable.Column("eigenvalue", .significant(6)), DataTable.Column("residual"),
      .words(),
    ]
    return Document.Section(nil, [.table(DataTable(columns, all))])
  }

  private var estimateSection: Document.Section? {
    var rows: [DataTable.Row] = []
    func row(_ name: String, _ value: Double, _ remark: String) {
      rows.append(DataTable.Row([.text(name), .number(value), .text(remark)]))
    }
    if let trace {
      row(
        "trace", trace.value,
        trace.standardError == 0
          ? "exact up to rounding" : "standard error \(Wording.number(trace.standardError))")
    }
    if let density {
      row("median eigenvalue", density.quantile(0.5), "")
      row("tenth from below", density.quantile(0.1), "")
      row("tenth from above", density.quantile(0.9), "")
      row(
        "error of the density", density.wassersteinBound,
        "Wasserstein-1, at most, but for a chance of \(Wording.number(density.failureProbability))")
    }
    if let solution {
      row(
        "relative residual", solution.relativeResidual,
        "after \(Wording.count(solution.iterations, "iteration"))")
    }
    guard !rows.isEmpty else { return nil }
    let columns: [DataTable.Column] = [
      .words(), DataTable.Column("", .significant(6)), .words(),
    ]
    return Document.Section(nil, [.table(DataTable(columns, rows))])
  }

  private var closingSection: Document.Section {
    Document.Section(
      nil,
      [
        .paragraph(
          Document.Paragraph(
            "\(convergence.advice) \(Wording.count(operatorApplications, "product")) in all.",
            tone: .fact))
      ])
  }
}
