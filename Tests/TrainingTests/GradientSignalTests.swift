import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// The ratio of signal to noise of gradients, and the rule that goes by it.
@Suite struct GradientSignalTests {
  /// `count` draws with a known mean and standard deviations.
  static func draws(
    _ count: Int, _ mean: [Double], _ deviations: [Double], _ generator: inout SeededGenerator
  ) -> [[Double]] {
    (0..<count).map { _ in zip(mean, deviations).map { $0 + $1 * generator.nextNormal() } }
  }

  @Test(arguments: [
    ([0.5], [1.0]), ([3, -1, 0.2], [2, 0.1, 0.5]),
    ([Double](repeating: 0.1, count: 40), (1...40).map { 1 / Double($0) }),
  ])
  func `its bias at 32 groups is under 2 percent`(mean: [Double], deviations: [Double]) {
    var generator = SeededGenerator(seed: 11)
    let signal = mean.reduce(0) { $0 + $1 * $1 }
    let noise = deviations.reduce(0) { $0 + $1 * $1 }
    let rounds = 20_000
    var (signals, noises, ratios) = (0.0, 0.0, 0.0)
    for _ in 0..<rounds {
      let found = GradientSignal(Self.draws(32, mean, deviations, &generator))
      signals += found.signalSquare / Double(rounds)
      noises += found.noiseSquare / Double(rounds)
      ratios += found.ratioSquare / Double(rounds)
    }
    #expect(abs(signals / signal - 1) < 0.02)
    #expect(abs(noises / noise - 1) < 0.02)
    #expect(abs(ratios / (signal / noise) - 1) < 0.02)
  }

  /// Written out from the definition, the jackknife by leaving gradients out one by one.
  @Test func `its numbers are those of the formulas`() {
    var generator = SeededGenerator(seed: 3)
    let gradients = Self.draws(7, [1, -2, 0.5], [0.3, 1, 2], &generator)
    func plain(_ gradients: [[Double]]) -> (signal: Double, noise: Double) {
      let count = Double(gradients.count)
      let mean = (0..<3).map { index in gradients.reduce(0) { $0 + $1[index] } / count }
      let noise =
        gradients.reduce(0.0) { $0 + zip($1, mean).reduce(0) { $0 + pow($1.0 - $1.1, 2) } }
        / (count - 1)
      return (mean.reduce(0) { $0 + $1 * $1 } - noise / count, noise)
    }
    let whole = plain(gradients)
    let without = (0..<7).map { left -> Double in
      let part = plain(gradients.enumerated().filter { $0.offset != left }.map(\.element))
      return part.signal / part.noise
    }
    let ratio = 7 * whole.signal / whole.noise - 6 * without.reduce(0, +) / 7
    let found = GradientSignal(gradients)
    #expect(abs(found.signalSquare - whole.signal) < 1e-13)
    #expect(abs(found.noiseSquare - whole.noise) < 1e-13)
    #expect(abs(found.ratioSquare - ratio) < 1e-11)
    // Gradients that agree have no noise, and no infinity comes out.
    let same = GradientSignal([[Float]](repeating: [1, 2], count: 4))
    #expect(same.ratioSquare == 1e18 && same.noiseSquare == 0 && same.signalSquare == 5)
    #expect(GradientSignal([[Float]](repeating: [0, 0], count: 4)).ratio == 0)
  }

  /// Groups take up all samples, so that their mean is the gradient.
  @Test func `groups' gradients add up to the gradient`() throws {
    let loss: Objective<Double> = try Regression().objective()
    let point = (0..<loss.parameterCount).map { 0.1 * sin(Double($0)) }
    let source = try #require(
      try DrawnGroupGradients(loss, groups: loss.sampleCount, batchSize: 2, seed: 4))
    let (whole, gradient) = try loss.valueAndGradient(at: point)
    var orders: Set<[Double]> = []
    for check in 0..<3 {
      let (value, gradients) = try source.check(check, at: point)
      #expect(abs(value - whole) < 1e-12 * abs(whole))
      for index in gradient.indices {
        let mean = gradients.reduce(0) { $0 + $1[index] } / Double(gradients.count)
        #expect(abs(mean - gradient[index]) < 1e-12)
      }
      #expect(try source.check(check, at: point).gradients == gradients)
      orders.insert(gradients.map { $0[0] })
    }
    #expect(orders.count == 3)
    #expect(
      try DrawnGroupGradients(loss, groups: loss.sampleCount + 1, batchSize: 2, seed: 4) == nil)
    let pairs = try #require(try DrawnGroupGradients(loss, groups: 3, batchSize: 2, seed: 4))
    #expect(pairs.drawn.size == 2 && pairs.drawn.share == 6.0 / 7)
    // Groups that take up all samples: their mean is the gradient itself, and nothing is taken off.
    let all = GradientSignal(try source.check(1, at: point).gradients, share: source.drawn.share)
    #expect(abs(all.signalSquare - gradient.reduce(0) { $0 + $1 * $1 }) < 1e-12)
  }
}

@Suite struct SwitchCriterionTests {
  /// A signal whose ratio is known.
  static func signal(_ ratioSquare: Double) -> NoiseReading {
    var signal = GradientSignal([[Double]](repeating: [1], count: 3))
    signal.ratioSquare = ratioSquare
    return .measured(signal)
  }

  /// Ratios 0.2 until check 9, then 3; the loss halves until check 4, then stands. By hand: the moving mean of
  /// squares with share 1/2 first exceeds 1 at check 10 (0.04/2 + 9/2), so the third check above is 12; the
  /// loss's fifth check without progress is 9.
  @Test func `a schedule known beforehand triggers at its check`() {
    var watch = SwitchWatch(SwitchCriterion())
    var decisions: [Int: SwitchCheck.Decision] = [:]
    for number in 1...14 {
      let check = watch.check(
        step: 50 * number, noise: Self.signal(number < 10 ? 0.04 : 9),
        loss: pow(0.5, Double(min(number, 4))))
      decisions[number] = check.decision
      if check.decision == .change { break }
    }
    #expect(decisions.keys.max() == 12 && decisions[12] == .change)
    #expect((1...11).allSatisfy { decisions[$0] == .wait })
  }

  /// By hand: strong from the start, the reference set at check 3, hence the fifth stalled check is 8.
  @Test func `progress holds it back`() {
    var watch = SwitchWatch(SwitchCriterion())
    let losses = [8.0, 4, 2, 1.95, 1.95, 1.94, 1.93, 1.92, 1.92]
    let first = losses.enumerated().first { number, loss in
      watch.check(step: number, noise: Self.signal(4), loss: loss).decision == .change
    }
    #expect(first?.offset == 7)
    // A loss that is not finite is no progress.
    #expect(watch.check(step: 9, noise: Self.signal(4), loss: .nan).stalled == 6)
  }

  @Test func `a check between release and threshold neither counts nor sets back`() {
    var criterion = SwitchCriterion()
    criterion.smoothing = 0
    var watch = SwitchWatch(criterion)
    let ratios = [1.5, 0.7, 1.5, 0.4, 1.5, 0.6, 1.5, 1.5]
    let counts = ratios.map {
      watch.check(step: 1, noise: Self.signal($0 * $0), loss: 1).above
    }
    #expect(counts == [1, 1, 2, 0, 1, 1, 2, 3])
  }

  @Test func `the last step for it needs no reason`() throws {
    var criterion = SwitchCriterion()
    criterion.latest = 130
    var watch = SwitchWatch(criterion)
    #expect(watch.isDue(130) && watch.isDue(100) && watch.isDue(0) && !watch.isDue(131))
    #expect(watch.check(step: 100, noise: Self.signal(0), loss: 1).decision == .wait)
    let last = watch.check(step: 130, noise: Self.signal(0), loss: 1)
    #expect(last.decision == .latest && last.sentence.contains("changed all the same"))
    // Without a ratio the loss decides.
    var blind = SwitchWatch(SwitchCriterion())
    let decisions = (1...6).map { blind.check(step: $0, noise: .unknown, loss: 1).decision }
    #expect(decisions == [.wait, .wait, .wait, .wait, .wait, .change])
    let copy = try JSONDecoder().decode(SwitchWatch.self, from: JSONEncoder().encode(blind))
    #expect(copy == blind)
  }

  /// A loss may be below zero, as a negative log likelihood is: progress is a share of its size.
  @Test func `losses below zero`() {
    func stalled(_ losses: [Double]) -> [Int] {
      var watch = SwitchWatch(SwitchCriterion())
      return losses.enumerated().map {
        watch.check(step: 50 * $0.offset, noise: .none, loss: $0.element).stalled
      }
    }
    #expect(stalled([-1, -0.96, -1, -1.04, -1.06, -1.2]) == [0, 1, 2, 3, 0, 0])
    #expect(stalled([1, 0.96, 0.94, 0, 0, -0.1]) == [0, 1, 0, 0, 1, 0])
    var watch = SwitchWatch(SwitchCriterion())
    let decisions = (0...5).map { watch.check(step: 50 * $0, noise: .none, loss: -3).decision }
    #expect(decisions == [.wait, .wait, .wait, .wait, .wait, .change])
  }

  @Test func `what a check saw is what it says`() {
    var watch = SwitchWatch(SwitchCriterion())
    let sentences = [4.0, 3, 2.99, 1e9, 2.95].enumerated().map {
      watch.check(step: 50 * $0.offset, noise: .none, loss: $0.element).sentence
    }
    #expect(sentences[0].hasSuffix("progress is measured from here."))
    #expect(sentences[1].hasSuffix("the loss still falls."))
    #expect(
      sentences[2].hasSuffix("the loss has fallen by less than 5 % in 50 steps (asked for: 250)."))
    #expect(sentences[3].hasSuffix("the loss has risen from 3 in 100 steps (asked for: 250)."))
    #expect(sentences[4].hasSuffix("less than 5 % in 150 steps (asked for: 250)."))
  }

  /// By default nothing but the criterion changes the method.
  @Test func `a loss that falls is never interrupted`() {
    var watch = SwitchWatch(SwitchCriterion())
    for number in 0...2000 {
      let check = watch.check(
        step: 50 * number, noise: Self.signal(9), loss: pow(0.98, Double(number)))
      #expect(check.decision == .wait)
    }
  }

  @Test(arguments: [1, 8])
  func `pure noise is not taken for a signal`(dimension: Int) {
    var generator = SeededGenerator(seed: 77)
    let zero = [Double](repeating: 0, count: dimension)
    let deviations = (0..<dimension).map { 1 / Double(1 + $0) }
    var changed = 0
    for _ in 0..<1000 {
      var watch = SwitchWatch(SwitchCriterion())
      let isChanged = (1...40).contains { number in
        let signal = GradientSignal(
          GradientSignalTests.draws(16, zero, deviations, &generator))
        return watch.check(step: 50 * number, noise: .measured(signal), loss: 1).decision == .change
      }
      if isChanged { changed += 1 }
    }
    #expect(changed < 10)
  }

  @Test func `values that make no sense are named`() {
    var criterion = SwitchCriterion()
    #expect(criterion.fault == nil)
    criterion.groups = 2
    #expect(criterion.fault == "groups must be a whole number, 3 to 1000000")
    criterion.groups = 16
    criterion.smoothing = 1
    #expect(criterion.fault == "smoothing must be at least 0 and below 1")
  }
}
