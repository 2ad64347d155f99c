import Diagnosis
import Presentation

extension DiagnosisReport {
  /// The report as text for people: the answer first, then the numbers behind it.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// The report as people read it: the answer first, then the numbers behind it.
  public var document: Document {
    Document(
      title: subject,
      sections: [
        problem.readingSection, answer, curvatureSection, rateSection, directionSection, prescriptionSection,
        closingSection,
      ].compactMap { $0 })
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

  /// Why, which rate, what to do.
  private var answer: Document.Section {
    let paragraphs: [Document.Paragraph?] = [
      Document.Paragraph(advice.why.sentence, lead: "Why", tone: .caution),
      advice.rate.map { Document.Paragraph($0.sentence, lead: "Rate", tone: .fact) },
      advice.action.map { Document.Paragraph($0.sentence, lead: "Do", tone: .advice) },
    ]
    return Document.Section(nil, paragraphs.compactMap { $0 }.map { .paragraph($0) })
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
