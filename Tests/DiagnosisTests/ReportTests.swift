import Foundation
import Testing

import Diagnosis

@Suite struct ReportTests {
  /// The shape that `docs/json.md` promises: every key, in this order, ahead of any extra ones.
  static let shape: [(path: [String], keys: [String])] = [
    (
      [],
      [
        "schema", "problem", "curvature", "learningRate", "directions", "prediction", "findings",
        "prescriptions", "layers", "advice",
      ]
    ),
    (
      ["problem"],
      [
        "parameters", "samples", "features", "loss", "gradientNorm", "seed", "precision",
        "executor",
      ]
    ),
    (
      ["curvature"],
      [
        "largest", "smallest", "smallestPositive", "effectiveSmallest", "conditionNumber",
        "effectiveConditionNumber", "gaussNewtonConditionNumber", "indefinite",
        "operatorApplications",
      ]
    ),
    (["advice"], ["why", "rate", "action", "basis", "also", "notes"]),
    (
      ["advice", "action"],
      ["prescription", "change", "rate", "momentum", "certainty", "figures", "against"]
    ),
    (["curvature", "largest"], ["value", "residual", "upperBound", "failureProbability"]),
    (["curvature", "smallest"], ["value", "residual"]),
    (
      ["learningRate"],
      [
        "stabilityLimit", "minimax", "contraction", "given", "givenTimesSharpness", "verdict",
      ]
    ),
    (["directions"], ["eigenvalue", "idealRate", "contraction", "iterations"]),
    (["prediction"], ["rate", "iterations", "tolerance"]),
    (["findings"], ["id", "sentence", "evidence"]),
    (["prescriptions"], ["id", "change", "predicted", "measured"]),
    (["prescriptions", "predicted"], ["conditionNumber", "rate", "iterations"]),
    (
      ["prescriptions", "measured"],
      [
        "iterations", "reached", "diverged", "loss", "relativeGap", "gradientEquivalents",
      ]
    ),
  ]

  @Test(arguments: [ExampleReport.rawTable, ExampleReport.network])
  func `the JSON has the promised keys in order`(report: DiagnosisReport) throws {
    let text = try report.json()
    let parsed = try JSONSerialization.jsonObject(with: Data(text.utf8))
    for (path, keys) in Self.shape {
      var node: Any? = parsed
      for key in path {
        node = (node as? [String: Any])?[key]
        if let list = node as? [Any] { node = list.first }
      }
      guard let object = node as? [String: Any] else {
        // A network has no measured prescriptions here.
        #expect(path.last == "measured" || path.last == "predicted", "no object at \(path)")
        continue
      }
      for key in keys { #expect(object[key] != nil, "\(path) lacks \(key)") }
      var position = text.startIndex
      for key in path + keys {
        guard let range = text.range(of: "\"\(key)\":", range: position..<text.endIndex) else {
          Issue.record("\(key) of \(path) is missing or out of order")
          break
        }
        position = range.upperBound
      }
    }
    #expect(!text.lowercased().contains("nan") && !text.contains("inf"))
    #expect(text.hasPrefix("{\n  \"schema\": \"eigenstep.diagnosis/1\","))
  }

  @Test func `a report reads back`() throws {
    for report in [ExampleReport.rawTable, ExampleReport.network] {
      let data = Data(try report.json().utf8)
      #expect(try JSONDecoder().decode(DiagnosisReport.self, from: data) == report)
    }
  }

  @Test func `prescriptions are ranked by measured work`() {
    func made(
      _ kind: Prescription.Kind, _ reached: Bool, _ diverged: Bool, _ work: Double, _ gap: Double
    ) -> Prescription {
      Prescription(
        kind, change: "",
        measured: .init(
          iterations: reached ? 1 : nil, reached: reached, diverged: diverged, loss: 1,
          relativeGap: gap, gradientEquivalents: work))
    }
    let ranked = [
      made(.safeRate, false, true, 1, 9), Prescription(.adam, change: ""),
      Prescription(.momentum, change: "", predicted: .init(iterations: 9)),
      made(.fastestRate, false, false, 1, 0.5), made(.asGiven, false, false, 99, 0.1),
      made(.newtonCG, true, false, 50, 1e-9), made(.standardiseFeatures, true, false, 49, 1e-7),
    ].ranked()
    #expect(
      ranked.map(\.id) == [
        "standardise-features", "newton-cg", "as-given", "fastest-rate", "momentum", "adam",
        "safe-rate",
      ])
  }

  @Test func `models by name`() throws {
    #expect(try ModelChoice("linear") == .linear)
    #expect(try ModelChoice("logistic") == .logistic && ModelChoice("softmax") == .softmax)
    #expect(try ModelChoice("mlp:64,32:relu") == .mlp(hidden: [64, 32], activation: .relu))
    #expect(try ModelChoice("mlp:8") == .mlp(hidden: [8], activation: .tanh))
    #expect(try ModelChoice("mlp:8,4:gelu").name == "mlp:8,4:gelu")
    for bad in [
      "", "tree", "mlp", "mlp:", "mlp:0:tanh", "mlp:8,:tanh", "mlp:8:sin", "mlp:8:tanh:x",
    ] {
      #expect(throws: DiagnosisFailure.self, "\(bad)") { try ModelChoice(bad) }
    }
  }
}
