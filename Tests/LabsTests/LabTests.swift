import Foundation
import Labs
import Presentation
import Reports
import TensorPrograms
import Testing

/// What every lab promises, and that one can fail.
@Suite struct LabTests {
  /// Theory says `2 x`; it measures `2 x + error`.
  static let doubling = Lab(
    name: "doubling", summary: "Is it twice?",
    parameters: [
      LabParameter("x", 3, small: 1, unit: "s", range: 1...10, isWhole: true, "what is doubled"),
      LabParameter("error", 0, range: 0...1, "what is wrong"),
    ]
  ) { context in
    try context.progress("doubling", 0.5)
    let (x, error) = (context["x"], context["error"])
    return LabOutcome(
      schema: "eigenstep.lab.doubling/1",
      checks: [
        LabCheck(
          "twice x", predicted: 2 * x, measured: 2 * x + error, tolerance: 0.25, row: "K7"),
        LabCheck("no more than thrice", predicted: 3 * x, measured: 2 * x, .atMost, row: nil),
      ],
      sections: [
        .init(
          "A line",
          [
            .figure(
              Figure(
                [.line(name: "twice", x: [0, x], y: [0, 2 * x])], x: .init("x"), y: .init("y"),
                caption: "It rises."))
          ])
      ], values: ["answer": 2 * x + error])
  }

  static func context(
    _ values: [String: Double] = [:], _ setting: LabContext.Setting = .full,
    isCancelled: @escaping @Sendable () -> Bool = { false }
  ) -> LabContext {
    LabContext(
      executor: ReferenceExecutor(), setting: setting, values: values,
      run: RunContext(isCancelled: isCancelled))
  }

  @Test(arguments: Lab.all.map(\.name))
  func `every lab runs in its small setting, as predicted`(name: String) throws {
    let lab = try #require(Lab.all.first { $0.name == name })
    let outcome = try lab.run(Self.context([:], .small))
    #expect(outcome.isPassed && !outcome.checks.isEmpty && !outcome.sections.isEmpty)
    #expect(outcome.setting == .small)
    #expect(Set(Lab.all.map(\.name)).count == Lab.all.count)
  }

  @Test func `a check that fails is told with its numbers`() throws {
    let outcome = try Self.doubling.run(Self.context(["error": 0.5]))
    #expect(!outcome.isPassed && outcome.checks.map(\.isPassed) == [false, true])
    let text = outcome.terminalText(TerminalStyle(colours: false))
    #expect(
      text.hasSuffix(
        """

        Checks
        FAIL  twice x: 6 predicted, 6.5 measured, 0.25 allowed (K7)
        ok    1 number as predicted

        """))
    let json = try OrderedJSON.string(outcome, indented: false)
    #expect(json.hasPrefix(#"{"schema":"eigenstep.lab.doubling/1","answer":6.5,"checks":[{"#))
    #expect(json.hasSuffix(#""setting":"full","seed":0,"parameters":{"x":3.0,"error":0.5}}"#))
    #expect(json.contains(#""tolerance":0.25,"relation":"equal","passed":false,"row":"K7"}"#))
    #expect(outcome.figures.count == 1 && outcome.tables.isEmpty)
  }

  @Test func `within the tolerance, and settings with defaults of their own`() throws {
    #expect(try Self.doubling.run(Self.context(["error": 0.25])).isPassed)
    let small = try Self.doubling.run(Self.context([:], .small))
    #expect(small.parameters.map(\.value) == [1, 0])
  }

  @Test(arguments: [
    (["y": 1.0], "The lab doubling has no parameter 'y'; it has x and error."),
    (["x": 11], "The parameter x is a whole number from 1 to 10 in s, not 11."),
    (["x": 2.5], "The parameter x is a whole number from 1 to 10 in s, not 2.5."),
    (["error": .nan], "The parameter error is a number from 0 to 1, not not a number."),
  ])
  func `a value that a lab does not take is named`(values: [String: Double], words: String) {
    #expect { try Self.doubling.run(Self.context(values)) } throws: { "\($0)" == words }
  }

  @Test func `a cancelled lab ends`() {
    #expect(throws: CancellationError.self) {
      try Self.doubling.run(Self.context(isCancelled: { true }))
    }
    #expect(throws: CancellationError.self) {
      try Lab.bowls.run(Self.context(isCancelled: { true }))
    }
  }

  @Test func `how a measurement may stand to a prediction`() {
    func isPassed(_ measured: Double, _ relation: LabCheck.Relation) -> Bool {
      LabCheck("", predicted: 10, measured: measured, tolerance: 1, relation, row: nil).isPassed
    }
    #expect(isPassed(11, .equal) && isPassed(9, .equal) && !isPassed(11.5, .equal))
    #expect(isPassed(-100, .atMost) && isPassed(11, .atMost) && !isPassed(11.5, .atMost))
    #expect(isPassed(100, .atLeast) && isPassed(9, .atLeast) && !isPassed(8.5, .atLeast))
    for relation in LabCheck.Relation.allCases { #expect(!isPassed(.nan, relation)) }
    let infinite = LabCheck(
      "", predicted: .infinity, measured: .infinity, tolerance: 0, row: nil)
    #expect(infinite.isPassed)
  }
}
