import Diagnosis
import Foundation
import KnownLosses
import Labs
import Presentation
import Testing

@Suite struct BowlsTests {
  static let bowls = Bowls()

  @Test func `counts are the published ones, run and by formula`() {
    #expect(Self.bowls.rows.map(\.conditionNumber) == NaiveDescent.publishedBowls.map(\.0))
    #expect(Self.bowls.rows.map(\.iterations) == NaiveDescent.publishedBowls.map(\.1))
    #expect(Self.bowls.rows.map(\.closedForm) == NaiveDescent.publishedBowls.map(\.1))
    let exponents = Dictionary(
      uniqueKeysWithValues: Self.bowls.rows.map { ($0.conditionNumber, $0.exponent) })
    #expect(exponents[1] == .some(nil))
    #expect(close((exponents[10] ?? 0) ?? 0, 80.3459158760224, 1e-13))
    #expect(close((exponents[50] ?? 0) ?? 0, 443.1342393354843, 1e-13))
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
    for (answer, number) in zip(answers, exact) { #expect(close(answer, number, 1e-12)) }
    #expect(answers.count == 5)
  }

  @Test func `JSON holds the same numbers`() throws {
    let text = try OrderedJSON.string(Self.bowls)
    let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    let rows = object?["rows"] as? [[String: Any]]
    #expect(object?["schema"] as? String == "eigenstep.lab.bowls/1")
    #expect(rows?.compactMap { $0["iterations"] as? Int } == NaiveDescent.publishedBowls.map(\.1))
    #expect(rows?.first?["exponent"] is NSNull)
  }

  @Test func `every lab has a name of its own and runs`() {
    #expect(Set(Lab.all.map(\.name)).count == Lab.all.count)
    for lab in Lab.all { #expect(!lab.run().tables.isEmpty) }
  }
}
