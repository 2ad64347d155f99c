import Curvature
import Diagnosis
import OnnxBackend
import Presentation
import TensorPrograms

/// Which stored tensors of a model training moves, and why the others stay.
public struct ModelParameters: Sendable {
  public struct Entry: Sendable, Hashable {
    public let name: String
    public let type: TensorType
    /// Why it is no parameter; nil for one.
    public fileprivate(set) var reason: Message?
    /// Whether `parameters` may name it.
    let canBeTrained: Bool
    /// Whether only its look or its place in the file speaks against it.
    fileprivate(set) var mayBeParameter: Bool
    /// Whether an option decided it.
    fileprivate(set) var isChosen = false
  }

  public let entries: [Entry]

  public var names: [String] { entries.filter { $0.reason == nil }.map(\.name) }

  /// - Parameters:
  ///   - outputs: names of outputs; a parameter has an influence on one of them.
  ///   - parameters: patterns of the names to train; nil for all that can be. A single number or a mask is
  ///     trained where it is named in full.
  ///   - frozen: patterns of the names that stay.
  /// - Throws: `DiagnosisFailure` for a pattern that matches nothing.
  public init(
    of model: OnnxModel, outputs: [String], parameters: String?, frozen: String?
  ) throws {
    let stored = try model.storedTensors(for: outputs).map {
      Entry(
        name: $0.name, type: $0.type, reason: $0.reason.map { Message($0) },
        canBeTrained: $0.canBeTrained, mayBeParameter: $0.mayBeParameter)
    }
    let known = stored.filter { $0.canBeTrained || $0.type.shape.rank == 0 }
    func matching(_ patterns: String?, _ option: Message.Option) throws -> Set<String>? {
      guard let patterns else { return nil }
      do {
        return try patterns.split(separator: ",", omittingEmptySubsequences: false)
          .reduce(into: []) { names, pattern in
            let isName = known.contains { $0.name == pattern }
            let candidates = isName ? known : known.filter { $0.reason == nil }
            let definition = LossDefinition(
              parameters: candidates.map { .init($0.name, $0.type.shape) },
              objective: { values, _ in values[0] })
            names.formUnion(
              try definition.parameters(matching: String(pattern)).map { candidates[$0].name })
          }
      } catch CurvatureError.noParameter(let pattern, _) {
        // The numbers within formulas would hide the names that somebody looks for.
        let names = known.filter { $0.reason == nil || $0.mayBeParameter }.map(\.name)
        throw DiagnosisFailure(
          .usage,
          "No parameter matches '\(pattern)' of \(option: option); the model's are: "
            + "\(names.prefix(20).joined(separator: ", "))" + (names.count > 20 ? ", ..." : "")
            + "; \(option: .listing) shows all.")
      }
    }
    let chosen = try matching(parameters, .parameters)
    let kept = try matching(frozen, .frozen) ?? []
    entries = stored.map { entry in
      let reason: Message? =
        if kept.contains(entry.name) {
          "frozen by \(option: .frozen)"
        } else if let chosen {
          chosen.contains(entry.name) ? nil : entry.reason ?? "not among \(option: .parameters)"
        } else {
          entry.reason
        }
      var entry = entry
      if reason != entry.reason { (entry.mayBeParameter, entry.isChosen) = (false, true) }
      entry.reason = reason
      return entry
    }
  }

  init(entries: [Entry]) { self.entries = entries }

  /// The parameters that the first output of a program has a derivative in; the program's inputs begin
  /// with them.
  func reached(by program: Program) -> ModelParameters {
    let reached = Set(zip(names, program.differentiableInputs()).filter(\.1).map(\.0))
    return ModelParameters(
      entries: entries.map { entry in
        guard entry.reason == nil, !reached.contains(entry.name) else { return entry }
        var entry = entry
        entry.reason = "no influence on the loss"
        return entry
      })
  }

  /// A table for people: name, shape, type, numbers, and why a tensor is no parameter.
  ///
  /// - Parameter wording: whose names the options have that a reason names.
  public func document(_ wording: Message.Wording = .fields) -> Document {
    let trained = entries.filter { $0.reason == nil }
    let numbers = trained.reduce(0) { $0 + $1.type.shape.count }
    let table = DataTable(
      [
        .words("name"), .words("shape"), .words("type"), DataTable.Column("numbers"), .words(),
      ],
      entries.map {
        DataTable.Row([
          .text($0.name), .text("\($0.type.shape)"), .text($0.type.element.rawValue),
          .integer($0.type.shape.count),
          $0.reason.map { .text("no: \($0.text(wording))") } ?? .blank,
        ])
      })
    return Document(sections: [
      .init(
        nil,
        [
          .table(table),
          .text(
            "\(Wording.count(trained.count, "parameter tensor")), \(Wording.count(numbers, "number"))."
          ),
        ])
    ])
  }

  /// The same as lines of text.
  public func text(_ wording: Message.Wording = .fields) -> String {
    document(wording).listing()
  }
}
