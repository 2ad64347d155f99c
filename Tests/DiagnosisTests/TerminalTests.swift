import Diagnosis
import Foundation
import Presentation
import Reports
import Testing

@Suite struct TerminalTests {
  static let plain = TerminalStyle(colours: false, width: 80)

  @Test func `a raw table reads as recorded`() throws {
    let text = ExampleReport.rawTable.terminalText(Self.plain)
    try expectSnapshot(text, named: "raw-table.txt")
    #expect(!text.contains("\u{1B}"))
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 && !$0.hasSuffix(" ") })
  }

  @Test func `a network reads as recorded`() throws {
    let text = ExampleReport.network.terminalText(TerminalStyle(colours: false, width: 60))
    try expectSnapshot(text, named: "network.txt")
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 60 })
  }

  @Test func `colours change nothing but colours`() {
    for report in [ExampleReport.rawTable, ExampleReport.network] {
      let coloured = report.terminalText(TerminalStyle(colours: true, width: 80))
      #expect(coloured.contains("\u{1B}["))
      let bare = coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "")
      #expect(bare == report.terminalText(Self.plain))
    }
  }

  @Test func `a report without anything in it still prints`() {
    let report = DiagnosisReport(
      problem: .init(
        parameters: 1, samples: 1, features: 1, loss: nil, gradientNorm: nil, seed: 0,
        precision: "float64", executor: "reference"),
      curvature: .init(
        largest: .init(value: nil, residual: nil, upperBound: nil, failureProbability: nil),
        smallest: .init(value: nil, residual: nil), indefinite: false, operatorApplications: 0),
      learningRate: .init(
        LearningRateFacts(.init(largest: 0, upperBound: 0, smallest: 0, zeroThreshold: 0))),
      directions: [], prediction: .init(rate: nil, iterations: nil, tolerance: 1e-6),
      findings: [
        .nonFinite(quantity: "loss", cause: .arithmetic(remedy: "Standardise the columns"))
      ],
      prescriptions: [])
    let text = report.terminalText(Self.plain)
    #expect(text.contains("The loss is infinite or not a number at the start, where"))
    #expect(!text.contains("nil") && !text.contains("nan"))
  }
}
