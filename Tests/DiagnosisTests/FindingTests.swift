import Curvature
import Diagnosis
import Foundation
import LinearMaps
import Presentation
import Testing
import Training

@Suite struct FindingTests {
  static let all: [Finding] = [
    .rateAboveLimit(
      rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, direction: ["w.proline", "b"],
      isQuadratic: true),
    .rateAboveLimit(rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, isQuadratic: false),
    .rateAboveLimit(
      rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, isQuadratic: false,
      run: .init(
        outcome: .fell, steps: 300, lossAtStart: 2.5, lossAtEnd: 0.01, sharpnessAtEnd: 6,
        limitAtEnd: 1 / 3)),
    .rateAboveLimit(
      rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, isQuadratic: false,
      run: .init(outcome: .diverged, steps: 17, lossAtStart: 2.5, lossAtEnd: nil)),
    .rateAboveLimit(
      rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, isQuadratic: false,
      run: .init(outcome: .notLower, steps: 300, lossAtStart: 2.5, lossAtEnd: 3.5)),
    .rateAboveLimit(
      rate: 0.3, limit: 0.2, sharpness: 10, growth: 2, isQuadratic: true,
      run: .init(outcome: .fell, steps: 5, lossAtStart: 2.5, lossAtEnd: 2.25)),
    .rateOscillates(rate: 0.15, limit: 0.2, contraction: -0.5),
    .rateFarBelow(
      rate: 1e-4, advised: .init(0.1, .everywhere), sharpness: 10, steps: .predicted(69_075),
      advisedSteps: .predicted(66)),
    .rateFarBelow(rate: 1e-9, advised: .init(0.1, .everywhere), sharpness: 10),
    .rateFarBelow(
      rate: 1e-4, advised: .init(0.1, .here), sharpness: 10, isLocal: true,
      steps: .predicted(69_075)),
    .rateFarBelow(
      rate: 1e-4, advised: .init(0.1, .run(steps: 300)), sharpness: 10, isLocal: true,
      steps: .notReached(after: 300), advisedSteps: .measured(66)),
    .rateFarBelow(
      rate: 1e-4, advised: .init(0.1, .run(steps: 300)), sharpness: 10, isLocal: true,
      steps: .measured(200), advisedSteps: .notReached(after: 300)),
    .rateFarBelow(rate: 1e-4, advised: nil, sharpness: 10, isLocal: true, steps: .measured(200)),
    .rateDiverged(rate: 0.1, limit: 0.2, steps: 17), .rateDiverged(rate: 0.1, limit: nil, steps: 1),
    .rateLimitedBySharpest(rate: 0.01, sharpness: 10, flattest: 1e-3, halfLife: nil, largerBy: 10),
    .rateLimitedBySharpest(rate: 0.15, sharpness: 10, flattest: 1e-3, halfLife: 4620.6),
    .rateLimitedBySharpest(rate: 0.15, sharpness: 10, flattest: 1e-3, halfLife: nil),
    .stepTruncation(rate: 0.01, predicted: 0.5, measured: 0.5001),
    .stepTruncation(rate: 0.01, predicted: 0.5, measured: 0.7),
    .limitUnknown(optimizer: "Adam", reason: "it has no preconditioner before its first step"),
    .featureScales(
      guilty: [.init(name: "proline", scale: 810.1), .init(name: "magnesium", scale: 100.8)],
      smallest: .init(name: "hue", scale: 0.98), conditionNumber: 4.5886892e8,
      afterStandardising: 45.520838),
    .featureScales(
      guilty: [.init(name: "proline", scale: 810.1)], smallest: .init(name: "hue", scale: 0.98),
      conditionNumber: 130_731, afterStandardising: 42.9, isEffective: true),
    .featureScales(
      guilty: [.init(name: "proline", scale: 810.1)], smallest: .init(name: "hue", scale: 0.98),
      rawLoss: 1.086, standardisedLoss: 0.342),
    .illConditioned(conditionNumber: 99828.068),
    .illConditioned(conditionNumber: 2.4e7, isEffective: true),
    .illConditioned(conditionNumber: 2.36e19),
    .wellConditioned(conditionNumber: 3.7),
    .negativeCurvature(
      mostNegative: -1, largest: 1, gradientIsSmall: true, gaussNewtonConditionNumber: nil),
    .negativeCurvature(
      mostNegative: -0.31, largest: 12.5, gradientIsSmall: false,
      gaussNewtonConditionNumber: 297.1),
    .flatDirections(
      count: 14, parameters: 42, gradientShare: 0, reason: "the classes share shifts"),
    .flatDirections(count: 1, parameters: 42, gradientShare: 0),
    .flatDirections(count: nil, parameters: 42, gradientShare: 0.25),
    .conditionNumberOpen(
      .init(unresolved: 2, atLeast: 250, other: 1e6), threshold: 10, parameters: 42),
    .conditionNumberOpen(
      .init(unresolved: 1, atLeast: 250, other: 1e6), threshold: 10, parameters: 42),
    .conditionNumberOpen(
      .init(unresolved: 0, atLeast: 1e5, other: 3e5), threshold: 10, parameters: 42),
    .conditionNumberOpen(
      .init(unresolved: 0, atLeast: 1e5, other: nil), threshold: 10, parameters: 42),
    .solvedInFloat64(resolvable: 10),
    .noFiniteMinimum(reason: "the classes are separable"),
    .nonFinite(quantity: "loss", cause: .training(step: 17)),
    .nonFinite(quantity: "gradient", cause: .arithmetic(remedy: "Standardise the columns")),
    .nonFinite(quantity: "loss", cause: .parameter("head.weight")),
    .nonFinite(quantity: "loss", cause: .data(array: 0, sample: 3)),
    .unresolvedEigenvalue(precision: "float32", resolvable: 1e-4, largest: 12),
    .unresolvedEigenvalue(precision: "float64", resolvable: 2e-9, largest: 665841),
    .fewSamples(samples: 10, parameters: 31),
    .sampleTooSmall(
      .jackknife(value: 12, without: [3, 9, 14, 13, 16, 15], sizes: [2, 2, 2, 2, 2, 2]),
      samples: 12, warning: "the interval is wider than the value 12 itself"),
    .sharpestLayer(
      [LayerCurvature](names: ["layer1", "layer2"], sharpness: [36, 4.5]), whole: 38)!,
    .constantColumns(["unit"]), .constantColumns(["unit", "source"]),
    .targetTakenForClasses(column: "class", classes: 3),
    .oneHotColumns(["region"], columns: 5),
    .referenceLoss(0.0298386936, source: "a dense solve"),
    .referenceLoss(3.967, source: "the lowest loss seen", isCertified: false),
    .interrupted(done: 2, planned: 6),
  ]

  @Test func `sentences read as recorded`() throws {
    try expectSnapshot(
      Self.all.map { "\($0.id): \($0.sentence)\n" }.joined(), named: "findings.txt")
  }

  @Test(arguments: all)
  func `a finding is a sentence with evidence that is valid JSON`(finding: Finding) throws {
    #expect(finding.sentence.hasSuffix(".") && !finding.sentence.contains("  "))
    #expect(!finding.sentence.contains("nan") && !finding.sentence.contains("Optional"))
    #expect(!finding.evidence.items.isEmpty)
    let text = try OrderedJSON.string(finding)
    let back = try JSONDecoder().decode(Finding.self, from: Data(text.utf8))
    #expect(back == finding)
  }

  @Test func `evidence keeps its order`() throws {
    let finding = Finding(
      id: "x", sentence: "s",
      evidence: [
        "z": .number(1.5), "a": .integer(3), "names": .list(["p", "q"]), "t": .text("u"),
        "none": .missing, "nan": .number(.nan),
      ])
    let text = try OrderedJSON.string(finding, indented: false)
    #expect(
      text
        == #"{"id":"x","sentence":"s","evidence":{"z":1.5,"a":3,"names":["p","q"],"t":"u","#
        + #""none":null,"nan":null}}"#)
    let back = try JSONDecoder().decode(Finding.self, from: Data(text.utf8))
    #expect(back.evidence["names"] == .list(["p", "q"]) && back.evidence["a"] == .integer(3))
  }

  @Test func `every documented id is made, and every one made is documented`() throws {
    let text = try String(
      contentsOf: Self.root.appendingPathComponent("docs/json.md"), encoding: .utf8)
    let (made, documented) = (try Self.idsMade(), Self.idsDocumented(in: text))
    #expect(made.subtracting(documented) == [], "made, but not in docs/json.md")
    #expect(documented.subtracting(made) == [], "in docs/json.md, but made nowhere")
    #expect(Set(Self.all.map(\.id)).isSubset(of: made))
    for kind in Prescription.Kind.allCases { #expect(text.contains("`\(kind.rawValue)`")) }
    for entry in OptimizerCatalogue.all { #expect(text.contains("`\(entry.name)`")) }
    for verdict in Verdict.allCases { #expect(text.contains("`\(verdict.rawValue)`")) }
    let words =
      Advice.Certainty.allCases.map(\.rawValue) + Advice.Suggestion.allCases.map(\.rawValue)
      + RateRun.Outcome.allCases.map(\.rawValue) + VerdictBasis.allCases.map(\.rawValue)
      + Advice.Preparation.allCases.map(\.rawValue)
      + Advice.Alternative.Reason.allCases.map(\.rawValue)
    for word in words { #expect(text.contains("`\(word)`"), "\(word)") }
    for band in Conditioning.allCases { #expect(text.contains("`\(band.rawValue)`")) }
  }

  @Test func `every reading that is made is documented`() throws {
    let text = try String(
      contentsOf: Self.root.appendingPathComponent("docs/json.md"), encoding: .utf8)
    let ids = try Self.sources().filter { $0.text.contains("Reading") }.flatMap { source in
      source.text.matches(
        of: /\b(Reading|add)\(\s*([^"\(\)]*\? )?"([a-z-]+)"( : "([a-z-]+)")?/
      ).flatMap { [String($0.3), $0.5.map(String.init)].compactMap { $0 } }
    }
    #expect(ids.contains("rows-left-out") && ids.contains("batch-axis"))
    for id in ids { #expect(text.contains("`\(id)`"), "\(id)") }
  }
}

extension FindingTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func sources() throws -> [(name: String, text: String)] {
    let folder = root.appendingPathComponent("Sources")
    return try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".swift") }
      .map { ($0, try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)) }
  }

  /// The texts that the sources give findings for an id; a finding is made in `Diagnosis`, and of a file
  /// where the file is read, in `Problems`.
  private static func idsMade() throws -> Set<String> {
    var ids: Set<String> = []
    for (name, source) in try sources() {
      let places = source.matches(of: /\bFinding\(\s*(id:([^,]*),)?/)
      for place in places {
        let literals = (place.2 ?? "").matches(of: /"([a-z-]+)"/).map { String($0.1) }
        #expect(!literals.isEmpty, "\(name) makes a finding without an id to be read here")
        #expect(
          name.hasPrefix("Diagnosis/") || name.hasPrefix("Problems/"), "\(name) makes a finding")
        ids.formUnion(literals)
      }
    }
    return ids
  }

  /// The ids of the table under the heading `findings`.
  private static func idsDocumented(in text: String) -> Set<String> {
    let section = text.components(separatedBy: "\n## ").first { $0.hasPrefix("`findings`") } ?? ""
    let cells = section.split(separator: "\n").filter { $0.hasPrefix("| `") }
      .map { $0.dropFirst().prefix { $0 != "|" } }
    return Set(cells.flatMap { $0.matches(of: /`([a-z-]+)`/).map { String($0.1) } })
  }
}

extension [LayerCurvature] {
  init(names: [String], sharpness: [Double]) {
    self = zip(names, sharpness).map {
      LayerCurvature(
        layer: $0, parameters: [], parameterCount: 1, sharpness: $1, residual: 0, upperBound: nil,
        trace: nil, traceStandardError: nil,
        convergence: Convergence(reason: .converged, operatorApplications: 1, advice: ""),
        traceApplications: 0)
    }
  }
}
