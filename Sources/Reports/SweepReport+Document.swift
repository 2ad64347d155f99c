import Diagnosis
import Foundation
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
    let name = problem.name.map { "\($0)\(problem.data.map { " on \($0)" } ?? ""): " } ?? ""
    // The name of a model file is its model's too.
    let model = problem.model == problem.name ? problem.lossName : problem.model
    return
      "\(name)\(Wording.count(rates.count, "rate"))"
      + (seeds > 1 ? " and \(Wording.count(seeds, "seed"))" : "")
      + " of \(method), \(Wording.count(steps, "step")) each\(batch); \(model ?? "a loss"), "
      + problem.precision
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
    guard !known.isEmpty, let low = rates.first?.rate, let high = rates.last?.rate, low < high,
      !areEqual(known.map { $0.mean! })
    else { return nil }
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

  /// Losses that differ by rounding alone make no figure.
  private func areEqual(_ losses: [Double]) -> Bool {
    let (least, most) = (losses.min()!, losses.max()!)
    return losses.count > 1
      && most - least <= max(1e-6 * abs(least), 1e-12 * abs(problem.loss ?? 0))
  }

  /// More rows are no table to be read.
  private static var mostRows: Int { 60 }

  /// The rates of the table: all, or some evenly spaced, with the best and where runs begin to diverge.
  private var shown: [Rate] {
    guard rates.count > Self.mostRows else { return rates }
    let last = rates.count - 1
    let even = Set((0..<Self.mostRows).map { $0 * last / (Self.mostRows - 1) })
    let marked = [best?.rate, best?.lower, best?.upper, boundary.stable, boundary.diverged]
    return rates.indices.filter { even.contains($0) || marked.contains(rates[$0].rate) }
      .map { rates[$0] }
  }

  /// As many digits as tell neighbouring rates apart.
  private var digits: Int {
    let shown = shown
    let closest = zip(shown, shown.dropFirst()).map { ($1.rate - $0.rate) / $1.rate }.min() ?? 1
    return closest > 0 ? min(12, max(3, Int((1 - log10(closest)).rounded(.up)))) : 12
  }

  private var tableSection: Document.Section {
    let hasHeldOut = rates.contains { $0.heldOut != nil }
    let columns: [DataTable.Column] =
      [
        DataTable.Column("rate", .significant(digits)), DataTable.Column("loss", .significant(4)),
        DataTable.Column("least", .significant(4)), DataTable.Column("most", .significant(4)),
      ] + (hasHeldOut ? [DataTable.Column("held out", .significant(4))] : []) + [.words()]
    let shown = shown
    let table = DataTable(
      columns,
      shown.map { rate in
        let known = rate.losses.compactMap { $0 }
        return DataTable.Row(
          [
            .number(rate.rate), .number(orMissing: rate.mean), .number(orMissing: known.min()),
            .number(orMissing: known.max()),
          ] + (hasHeldOut ? [.number(orMissing: rate.heldOut)] : []) + [.text(words(rate))],
          emphasis: rate.rate == best?.rate ? .best : rate.isDiverged ? .failed : .none)
      })
    return Document.Section(
      nil,
      [.table(table)]
        + (shown.count < rates.count
          ? [
            .notes([
              "\(Wording.count(shown.count)) of the \(Wording.count(rates.count, "rate")) are shown; --json "
                + "writes all."
            ])
          ] : []))
  }

  private func words(_ rate: Rate) -> String {
    if let step = rate.brokenAt { return "not finite after \(Wording.count(step, "step"))" }
    if rate.isDiverged { return "diverged" }
    if rate.isAboveStart { return "ended above its start" }
    guard let best, rate.rate != best.rate else { return best == nil ? "" : "best" }
    if let tied = best.tied, tied[0] <= rate.rate, rate.rate <= tied[1] { return "the same" }
    return best.lower <= rate.rate && rate.rate <= best.upper ? "nearly as good" : ""
  }

  private var closingSection: Document.Section? {
    problem.notes.isEmpty ? nil : Document.Section("Also", [.notes(problem.notes)])
  }
}
