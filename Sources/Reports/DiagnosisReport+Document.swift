import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The report as text for people, in the order of `document`.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// The part of `terminalText` that became final behind one stage, up to another; parts one after another
  /// are the whole text.
  public func terminalText(
    _ style: TerminalStyle, after known: Stage?, upTo last: Stage = .complete
  ) -> String {
    let part = document(after: known, upTo: last)
    guard known != nil else { return part.terminalText(style) }
    return part.sections.isEmpty ? "" : "\n" + part.terminalText(style)
  }

  /// The report as people read it, in the order in which it came to be known: what the largest curvature
  /// says, the numbers of the point, then the answer and the trials behind it. A report without a first
  /// answer begins with the answer.
  public var document: Document { document() }

  /// The sections that became final behind one stage, up to another: those of a report that is handed out
  /// at a stage, put behind those of the stages before, are the whole document.
  public func document(after known: Stage? = nil, upTo last: Stage = .complete) -> Document {
    let chosen = sections.filter { part in
      part.finalWith <= last && known.map { part.finalWith > $0 } ?? true
    }
    return Document(title: known == nil ? subject : nil, sections: chosen.compactMap(\.section))
  }

  private var sections: [(finalWith: Stage, section: Document.Section?)] {
    guard let first else {
      return [(.start, problem.readingSection)]
        + [
          answer, curvatureSection, rateSection, miniBatchSection, directionSection,
          prescriptionSection, closingSection,
        ].map { (.complete, $0) }
    }
    let opening = Document.Paragraph(first.sentence, lead: "First", tone: .fact)
    // Of an interrupted run there may be no more.
    let isMeasured = (stage ?? .complete) > .sharpness
    return [
      (.start, problem.readingSection),
      (.sharpness, Document.Section(nil, [.paragraph(opening)])),
      (.curvature, isMeasured ? curvatureSection : nil), (.curvature, directionSection),
      (.complete, answer), (.complete, rateSection), (.complete, miniBatchSection),
      (.complete, prescriptionSection),
      (.complete, closingSection),
    ]
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
    let level = [
      problem.loss.map { "loss \(Wording.number($0))" },
      problem.gradientNorm.map { "gradient norm \(Wording.number($0))" },
    ].compactMap { $0 }.map { ", \($0)" }.joined()
    let name = [problem.name, problem.data].compactMap { $0 }.joined(separator: " on ")
    let layers = problem.layers.map { " in \(Wording.count($0, "layer"))" } ?? ""
    return "\(name.isEmpty ? "" : "\(name): ")\(data); "
      + "\(model.isEmpty ? "" : "\(model), ")\(Wording.count(problem.parameters, "parameter"))"
      + "\(layers), "
      + "\(problem.precision); \(place)\(level)"
  }

  /// Why, which rate, what to do.
  private var answer: Document.Section {
    let paragraphs: [Document.Paragraph?] = [
      Document.Paragraph(advice.why.sentence, lead: "Why", tone: .caution),
      advice.rate.map { Document.Paragraph($0.sentence, lead: "Rate", tone: .fact) },
      (advice.action?.sentence ?? nothing).map {
        Document.Paragraph($0, lead: "Do", tone: .advice)
      },
    ]
    let command = advice.action?.command.map { [Document.Block.command($0)] } ?? []
    return Document.Section(nil, paragraphs.compactMap { $0 }.map { .paragraph($0) } + command)
  }

  /// Where training has arrived.
  private var nothing: String? {
    findings.contains { $0.id == "at-minimum" } ? "Nothing: there is nothing left to train." : nil
  }

  private var closingSection: Document.Section? {
    let rest =
      findings.filter { advice.also.contains($0.id) }.map(\.sentence) + problem.notes
    return rest.isEmpty ? nil : Document.Section("Also", [.notes(rest)])
  }
}

extension DiagnosisReport.Problem {
  /// What was decided for the user, before any number that rests on it.
  var readingSection: Document.Section? {
    guard let readings, !readings.isEmpty else { return nil }
    return Document.Section(
      nil, readings.map { .paragraph(Document.Paragraph($0.sentence, lead: "Read", tone: .fact)) })
  }
}
