import Foundation
import Labs
import Presentation
import Reports
import TensorPrograms
import Testing

@Suite struct BowlsTests {
  static let bowls = Bowls()

  /// Condition number, published steps of descent until `||g|| < 1e-6` with the gradient before the update.
  static let counts: [(Double, Int)] = [
    (1, 2), (2, 15), (5, 40), (10, 82), (20, 169), (50, 445), (100, 923), (200, 1913),
    (500, 5009), (1000, 10363), (10000, 115131),
  ]

  static func close(_ a: Double, _ b: Double, _ tolerance: Double) -> Bool {
    abs(a - b) <= tolerance * abs(b)
  }

  @Test func `counts are the published ones, run and by formula`() {
    #expect(Self.bowls.rows.map(\.conditionNumber) == Self.counts.map(\.0))
    #expect(Self.bowls.rows.map(\.iterations) == Self.counts.map(\.1))
    #expect(Self.bowls.rows.map(\.closedForm) == Self.counts.map(\.1))
    let exponents = Dictionary(
      uniqueKeysWithValues: Self.bowls.rows.map { ($0.conditionNumber, $0.exponent) })
    #expect(exponents[1] == .some(nil))
    #expect(Self.close((exponents[10] ?? 0) ?? 0, 80.3459158760224, 1e-13))
    #expect(Self.close((exponents[50] ?? 0) ?? 0, 443.1342393354843, 1e-13))
  }

  @Test func `other rates and momentum`() {
    func row(_ kappa: Double) -> Bowls.Row? {
      Self.bowls.rows.first { $0.conditionNumber == kappa }
    }
    #expect(row(10)?.iterationsAtSafeRate == 133 && row(50)?.iterationsAtSafeRate == 685)
    let heavy = [1.0, 10, 50, 1000].map { row($0)?.iterationsWithMomentum }
    #expect(heavy == [2, 32, 81, 436])
  }

  @Test func `the five contraction numbers`() {
    let answers = Self.bowls.contraction.map(\.answer)
    // At the minimax rate the factor per step is (kappa - 1) / (kappa + 1) with kappa = 10,000.
    let both = exp(-2 * 10_000 * atanh(1e-4))
    let exact = [0.03125, 0.606523077874078, 69313, both, 17329]
    for (answer, number) in zip(answers, exact) { #expect(Self.close(answer, number, 1e-12)) }
    #expect(answers.count == 5)
  }

  @Test func `JSON holds the same numbers, then what every lab has`() throws {
    let outcome = try Lab.bowls.run(LabContext(executor: ReferenceExecutor(), seed: 3))
    let text = try OrderedJSON.string(outcome)
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    let rows = object?["rows"] as? [[String: Any]]
    #expect(object?["schema"] as? String == "eigenstep.lab.bowls/1")
    #expect(rows?.compactMap { $0["iterations"] as? Int } == Self.counts.map(\.1))
    #expect(rows?.first?["exponent"] is NSNull)
    #expect(object?["seed"] as? Int == 3 && object?["setting"] as? String == "full")
    #expect(object?["parameters"] as? [String: Double] == ["tolerance": 1e-6, "largest": 10_000])
    let checks = try #require(object?["checks"] as? [[String: Any]])
    #expect(checks.allSatisfy { $0["passed"] as? Bool == true })
    #expect(checks.compactMap { $0["row"] as? String }.filter { $0 == "A11" }.count == 11)
    var position = text.startIndex
    for key in ["schema", "tolerance", "rows", "contraction", "checks", "setting"] {
      let place = try #require(
        text.range(of: "\n  \"\(key)\":", range: position..<text.endIndex), "\(key)")
      position = place.upperBound
    }
  }

  @Test func `bowls for people`() throws {
    let outcome = try Lab.bowls.run(LabContext(executor: ReferenceExecutor()))
    #expect(outcome.isPassed && outcome.tables.count == 2 && outcome.figures.isEmpty)
    let text = outcome.terminalText(TerminalStyle(colours: false))
    for part in [
      """
      Steps until the gradient is below 1e-6, from (1, 1)
        condition number  best rate    steps  formula  at 1/sharpness  with momentum
        1                         1        2        2               2              2
        2                     0.667       15       15              21             11
      """,
      """
        10,000                 2e-4  115,131  115,131         138,150          1,554
      The narrower the bowl, the more steps: their number grows like the condition
      number times its logarithm. Momentum pays only the square root.

      Why: curvatures 100 and 0.01 under one learning rate
        question                                                    rate        answer
        error left in the sharp direction after 5 steps            0.005       0.03125
      """,
      """
      The rate that suits the sharp direction leaves the flat one almost where it was.

      Checks
      ok    20 numbers as predicted

      """,
    ] {
      #expect(text.contains(part), "\(text)")
    }
  }

  /// Counted here, step by step.
  @Test func `another tolerance and fewer bowls`() throws {
    let outcome = try Lab.bowls.run(
      LabContext(executor: ReferenceExecutor(), values: ["tolerance": 1e-3, "largest": 20]))
    #expect(outcome.isPassed)
    let bowls = try #require(outcome.values as? Bowls)
    #expect(bowls.rows.map(\.conditionNumber) == [1, 2, 5, 10, 20])
    for row in bowls.rows {
      let kappa = row.conditionNumber
      var (x, y, steps) = (1.0, 1.0, 0)
      while true {
        steps += 1
        let norm = hypot(kappa * x, y)
        x -= 2 / (kappa + 1) * kappa * x
        y -= 2 / (kappa + 1) * y
        if norm < 1e-3 { break }
      }
      #expect(row.iterations == steps)
    }
  }
}
