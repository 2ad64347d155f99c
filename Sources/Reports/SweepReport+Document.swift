import Diagnosis
import Presentation

extension SweepReport {
  /// The report as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// The report as people read it.
  public var document: Document {
    Document(
      title: subject,
      sections: [
        problem.readingSection, answerSection, figureSection, tableSection, closingSection,
      ]
      .compactMap { $0 })
  }

  private var subject: String {
    let seeds = rates.first?.losses.count ?? 1
    let batch = request?.batch.map { ", batches of \(Wording.count($0))" } ?? ", all samples"
    return
      "\(problem.name.map { "\($0): " } ?? "")\(Wording.count(rates.count, "rate"))"
      + (seeds > 1 ? " and \(Wording.count(seeds, "seed"))" : "")
      + " of \(problem.optimizer ?? "an optimizer"), \(Wording.count(steps, "step")) each\(batch); "
      + "\(problem.model ?? "a loss"), \(problem.precision)"
  }

  private var answerSection: Document.Section {
    var blocks: [Document.Block] = []
    if let first = sentences.first {
      blocks.append(
        .paragraph(
          .init(first, lead: best == nil ? nil : "Do", tone: best == nil ? .caution : .advice)))
    }
    if sentences.count > 1 { blocks.append(.notes(Array(sentences.dropFirst()))) }
    return Document.Section(nil, blocks)
  }

  /// Where nothing ended finite there is nothing to draw.
  private var figureSection: Document.Section? {
    let known = rates.filter { ($0.mean ?? .infinity).isFinite }
    guard !known.isEmpty, let low = rates.first?.rate, let high = rates.last?.rate else {
      return nil
    }
    let isPositive = known.allSatisfy { $0.mean! > 0 }
    var layers: [Figure.Layer] = [
      .points(
        name: "loss at the end"
          + ((rates.first?.losses.count ?? 1) > 1 ? ", mean over the seeds" : ""),
        x: known.map(\.rate), y: known.map { $0.mean! })
    ]
    let lost = rates.filter { $0.mean == nil }
    if !lost.isEmpty { layers.append(.rug(name: "not finite", x: lost.map(\.rate))) }
    var marks: [Figure.Mark] = []
    if let best { marks.append(.init("best", at: best.rate)) }
    if let diverged = boundary.diverged { marks.append(.init("runs diverge from", at: diverged)) }
    for limit in limits where limit.rate >= low && limit.rate <= high {
      marks.append(
        .init(
          limit.place == .start
            ? "limit by the curvature at the start"
            : "limit by the curvature at the best run's end", at: limit.rate))
    }
    return Document.Section(
      "Loss against rate",
      [
        .figure(
          Figure(
            layers, x: .init("learning rate", scale: .logarithmic, range: .init(low, high)),
            y: .init("loss", scale: isPositive ? .logarithmic : .linear), marks: marks,
            caption: "Each point is one rate after all its steps, over all samples."))
      ])
  }

  private var tableSection: Document.Section {
    let columns: [DataTable.Column] = [
      DataTable.Column("rate"), DataTable.Column("loss", .significant(4)),
      DataTable.Column("least", .significant(4)), DataTable.Column("most", .significant(4)),
      .words(),
    ]
    return Document.Section(
      nil,
      [
        .table(
          DataTable(
            columns,
            rates.map { rate in
              let known = rate.losses.compactMap { $0 }
              return DataTable.Row(
                [
                  .number(rate.rate), .number(orMissing: rate.mean),
                  .number(orMissing: known.min()), .number(orMissing: known.max()),
                  .text(words(rate)),
                ], emphasis: rate.rate == best?.rate ? .best : rate.isDiverged ? .failed : .none)
            }))
      ])
  }

  private func words(_ rate: Rate) -> String {
    if let step = rate.brokenAt { return "not finite after \(Wording.count(step, "step"))" }
    if rate.isDiverged { return "ended above its start" }
    guard let best, rate.rate != best.rate else { return best == nil ? "" : "best" }
    return best.lower <= rate.rate && rate.rate <= best.upper && rate.losses.count > 1
      ? "as good, by these seeds" : ""
  }

  private var closingSection: Document.Section? {
    problem.notes.isEmpty ? nil : Document.Section("Also", [.notes(problem.notes)])
  }
}
