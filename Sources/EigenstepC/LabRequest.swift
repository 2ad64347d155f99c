import CEigenstep
import Diagnosis
import Foundation
import Labs
import Presentation
import Reports
import TensorPrograms

/// A lab that a caller asks for, or without a name all that there are.
struct LabRequest: Decodable {
  private static let currentSchema = "eigenstep.request.lab/1"

  private struct Schema: Decodable {
    let schema: String?
  }

  let name: String?
  let seed: Int?
  let small: Bool?
  let values: [String: Double]?

  /// Nil for a request of something else.
  ///
  /// - Throws: `DiagnosisFailure` of kind `usage` for one with fields of another kind.
  init?(_ request: String) throws {
    let (data, decoder) = (Data(request.utf8), JSONDecoder())
    guard (try? decoder.decode(Schema.self, from: data))?.schema == Self.currentSchema else {
      return nil
    }
    do { self = try decoder.decode(Self.self, from: data) } catch {
      throw DiagnosisFailure(
        .usage,
        "The request of a lab has `name`, a text, `seed`, a whole number, `small`, true or false, and `values`, "
          + "numbers by name; mend it.")
    }
  }

  func answer(_ context: RunContext) throws -> Answered {
    let names = Lab.all.map(\.name)
    guard let name else {
      let list = LabList()
      return Answered(
        json: try OrderedJSON.string(list),
        text: { _ in Lab.all.map { "\($0.name): \($0.summary)\n" }.joined() })
    }
    guard let lab = Lab.all.first(where: { $0.name == name }) else {
      throw DiagnosisFailure(
        .usage,
        "There is no lab '\(name)': "
          + (closestName(to: name, among: names).map { "did you mean \($0)? Choose" } ?? "choose")
          + " one of \(names.joined(separator: ", ")).")
    }
    if let seed, seed < 0 {
      throw DiagnosisFailure(.usage, "The seed is \(seed), but it must be at least 0.")
    }
    let outcome = try lab.run(
      LabContext(
        executor: ReferenceExecutor(), seed: seed ?? 0, setting: small == true ? .small : .full,
        values: values ?? [:], run: context))
    return Answered(
      status: outcome.isPassed ? 0 : Int32(EIGENSTEP_LOST), json: try OrderedJSON.string(outcome),
      text: { outcome.terminalText($0) })
  }
}

/// The labs that there are, with the numbers that each takes.
private struct LabList: Encodable {
  let schema = "eigenstep.labs/1"
  let labs = Lab.all.map(Entry.init)

  struct Entry: Encodable {
    let name: String
    let summary: String
    let parameters: [Parameter]

    init(_ lab: Lab) {
      (name, summary) = (lab.name, lab.summary)
      parameters = lab.parameters.map { Parameter(name: $0.name, summary: $0.summary) }
    }
  }

  struct Parameter: Encodable {
    let name: String
    let summary: String
  }
}
