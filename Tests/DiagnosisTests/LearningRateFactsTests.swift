import Foundation
import Testing
import Training

import Diagnosis
import KnownLosses

@Suite struct LearningRateFactsTests {
  /// The Hessian `[[802, -400], [-400, 200]]` of the Rosenbrock function at its minimum.
  @Test func `Rosenbrock's minimum`() {
    let facts = LearningRateFacts(
      .init(
        largest: 1001.60063923251236695, upperBound: 1001.60063923251236695,
        smallest: 0.399360767487633045, zeroThreshold: 1e-12))
    #expect(close(facts.curvature.conditionNumber ?? 0, 2508.00960127744347922, 1e-12))
    #expect(close(facts.stabilityLimit ?? 0, 0.00199680383743816523, 1e-12))
    #expect(close(facts.minimax ?? 0, 0.00199600798403193612774, 1e-12))
    #expect(close(facts.contraction ?? 0, 0.999202872719585562784, 1e-12))
    #expect(facts.verdict == nil && facts.given == nil)
  }

  @Test func `two directions ten thousand apart`() {
    let facts = LearningRateFacts(
      .init(largest: 100, upperBound: 100, smallest: 0.01, zeroThreshold: 0))
    #expect(close(facts.minimax ?? 0, 0.01999800019998, 1e-12))
    #expect(close(facts.contraction ?? 0, 0.9998000199980002, 1e-14))
    let rows = [100, 0.01].map {
      EigenDirection(eigenvalue: $0, zeroThreshold: 0, rate: facts.minimax, tolerance: 1e-6)
    }
    #expect(rows.map(\.idealRate) == [0.01, 100])
    #expect(close(rows[0].contraction ?? 0, -(rows[1].contraction ?? 0), 1e-12))
  }

  @Test(arguments: [
    (0.5, EigenDirection.Regime.monotone), (1, .oneStep), (1.5, .oscillating), (2, .twoCycle),
    (2.5, .diverging),
  ])
  func `regimes of one direction`(product: Double, regime: EigenDirection.Regime) {
    for eigenvalue in [1, 3, 0.7, 1e-5, 49] {
      let row = EigenDirection(
        eigenvalue: eigenvalue, zeroThreshold: 0, rate: product / eigenvalue, tolerance: 1e-6)
      #expect(row.regime == regime)
      #expect(abs((row.contraction ?? 9) - (1 - product)) < 1e-14)
      #expect((row.iterations == nil) == (regime == .twoCycle || regime == .diverging))
    }
  }

  @Test func `frozen and negative directions have no ideal rate`() {
    let flat = EigenDirection(eigenvalue: 1e-14, zeroThreshold: 1e-12, rate: 1, tolerance: 1e-6)
    #expect(flat.regime == .frozen && flat.idealRate == nil && flat.iterations == nil)
    let down = EigenDirection(eigenvalue: -2, zeroThreshold: 1e-12, rate: 0.1, tolerance: 1e-6)
    #expect(down.regime == .diverging && down.idealRate == nil && down.iterations == nil)
    #expect(close(down.contraction ?? 0, 1.2, 1e-15))
    let bare = EigenDirection(eigenvalue: 2, zeroThreshold: 0, rate: nil, tolerance: 1e-6)
    #expect(bare.idealRate == 0.5 && bare.contraction == nil && bare.regime == nil)
  }

  @Test func `half-life of the flat direction`() {
    let row = EigenDirection(eigenvalue: 1e-4, zeroThreshold: 0, rate: 1, tolerance: 1e-6)
    #expect(abs((row.halfLife ?? 0) - 6931.1252) < 1e-3)
    // The loss gap falls as the square of the error.
    #expect(row.iterations == Int((log(1e-6) / (2 * log(0.9999))).rounded(.up)))
  }

  @Test(arguments: [
    (0.04, Verdict.slow), (0.099, .slow), (0.101, .stable), (0.999, .stable), (1.001, .oscillating),
    (1.98, .oscillating), (2, .unstable), (2.02, .unstable),
  ])
  func `verdicts on a bowl of curvature ten`(product: Double, verdict: Verdict) {
    let curvature = LearningRateFacts.Curvature(
      largest: 10, upperBound: 10, smallest: 1, zeroThreshold: 1e-12)
    let facts = LearningRateFacts(curvature, given: product / 10)
    #expect(facts.verdict == verdict)
    #expect(close(facts.givenTimesSharpness ?? 0, product, 1e-14))
  }

  @Test func `verdict and a run agree on a grid of rates`() {
    for step in 1...300 {
      let rate = 0.2 * Double(step) / 150
      var run = NaiveDescent(eigenvalues: [10, 1], start: [1, 1])
      for _ in 0..<3000 { run.step(rate: rate) }
      let verdict = Verdict(rate: rate, limit: 0.2, indefinite: false)
      #expect((verdict == .unstable) == !(run.gap <= 1e-3))
    }
  }

  @Test func `negative curvature leaves no stable rate and no condition number`() {
    let curvature = LearningRateFacts.Curvature(
      largest: 1, upperBound: 1, smallest: -1, smallestPositive: 0.5, zeroThreshold: 1e-12)
    #expect(curvature.isIndefinite && curvature.conditionNumber == nil)
    let facts = LearningRateFacts(curvature, given: 0.1)
    #expect(facts.verdict == .noStableRate)
    #expect(facts.minimax == nil && facts.contraction == nil && facts.stabilityLimit == 2)
    let concave = LearningRateFacts(
      .init(largest: -1, upperBound: -1, smallest: -2, zeroThreshold: 1e-12), given: 0.1)
    #expect(concave.stabilityLimit == nil && concave.verdict == .noStableRate)
  }

  @Test func `singular curvature has a limit but no condition number`() {
    let facts = LearningRateFacts(
      .init(largest: 4, upperBound: 4, smallest: 0, zeroThreshold: 1e-12), given: 0.1)
    #expect(facts.stabilityLimit == 0.5 && facts.curvature.conditionNumber == nil)
    #expect(facts.verdict == .stable)
  }

  /// Descent's best rate is none for a method that is unstable there.
  @Test func `no minimax rate beyond the limit`() {
    let curvature = LearningRateFacts.Curvature(
      largest: 100, upperBound: 100, smallest: 0.01, zeroThreshold: 0)
    for (critical, isTold) in [(1.9, false), (2, true), (3.8, true)] {
      let facts = LearningRateFacts(
        curvature, rule: StepRule(criticalProduct: critical, slowBelow: 0.05))
      #expect((facts.minimax != nil) == isTold && (facts.contraction != nil) == isTold)
      #expect(close(facts.stabilityLimit!, critical / 100, 1e-14))
    }
    #expect(LearningRateFacts(curvature, rule: nil).minimax != nil)
  }

  @Test func `Adam's limit needs its preconditioned curvature`() {
    let curvature = LearningRateFacts.Curvature(
      largest: 4, upperBound: 4, smallest: 1, zeroThreshold: 1e-12)
    let unknown = LearningRateFacts(curvature, rule: .adam(beta1: 0.9), given: 0.1)
    #expect(unknown.stabilityLimit == nil && unknown.verdict == nil)
    let known = LearningRateFacts(
      curvature, rule: .adam(beta1: 0.9), given: 0.1, preconditionedBound: 100)
    #expect(close(known.stabilityLimit ?? 0, 0.38, 1e-14) && known.verdict == .stable)
  }

  @Test(arguments: [
    (1.0, Conditioning.good), (9.99, .good), (45.5, .moderate), (8442.68, .bad),
    (4.5886892e8, .severe), (2.36e19, .unresolved),
  ])
  func `severity bands`(conditionNumber: Double, band: Conditioning) {
    #expect(Conditioning(conditionNumber: conditionNumber) == band)
  }

  @Test func `bands end where the precision ends`() {
    let single = Conditioning(conditionNumber: 8e6, epsilon: Double(Float.ulpOfOne))
    #expect(single == .severe)
    #expect(
      Conditioning(conditionNumber: 1e8, epsilon: Double(Float.ulpOfOne)) == .unresolved)
    #expect(
      Conditioning.zeroThreshold(parameters: 100, epsilon: 1e-16, largestMagnitude: -3) == 3e-14)
    #expect(
      Conditioning.zeroThreshold(
        parameters: 2, epsilon: 1e-16, productRounding: 1e-7, largestMagnitude: 3) == 3e-7)
  }
}
