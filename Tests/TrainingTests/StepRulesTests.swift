import Curvature
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// Clipping, decay and rates per parameter beside the optimizer's update, against the same in plain doubles.
@Suite struct StepRulesTests {
  static let problem = Regression()
  static let start = problem.start

  /// Steps of gradient descent by hand.
  private func byHand(
    _ steps: Int, rate: Double, rates: [Double], decay: [Double],
    _ clip: ([Double]) -> [Double]
  ) -> [Double] {
    var x = Self.start
    for _ in 0..<steps {
      let g = clip(Self.problem.valueAndGradient(at: x).gradient)
      for i in x.indices { x[i] -= rate * rates[i] * (g[i] + decay[i] * x[i]) }
    }
    return x
  }

  private func trained(_ rules: StepRules, steps: Int = 5) throws -> [Double] {
    let run = try TrainingRun(
      Self.problem.objective(), GradientDescent(), rate: 0.2, from: Self.start, rules: rules)
    for _ in 0..<steps { try run.step() }
    return run.parameters
  }

  private var ones: [Double] { Self.start.map { _ in 1 } }
  private var zeros: [Double] { Self.start.map { _ in 0 } }

  @Test func clipsByValue() throws {
    var rules = StepRules()
    rules.clipValue = 0.05
    let hand = byHand(5, rate: 0.2, rates: ones, decay: zeros) {
      $0.map { min(0.05, max(-0.05, $0)) }
    }
    #expect(relativeDistance(try trained(rules), hand) < 1e-13)
    #expect(relativeDistance(try trained(StepRules()), hand) > 1e-3)
  }

  @Test func clipsByNorm() throws {
    var rules = StepRules()
    rules.clipNorm = 0.1
    let hand = byHand(5, rate: 0.2, rates: ones, decay: zeros) { g in
      let norm = norm(g)
      return norm > 0.1 ? g.map { $0 * 0.1 / norm } : g
    }
    #expect(relativeDistance(try trained(rules), hand) < 1e-13)
    rules.clipNorm = 1e9
    #expect(try trained(rules) == trained(StepRules()))
  }

  @Test func decaysWhatTheMaskNames() throws {
    let loss: Objective<Double> = try Self.problem.objective()
    var rules = StepRules()
    rules.weightDecay = 0.3
    let all = byHand(5, rate: 0.2, rates: ones, decay: ones.map { 0.3 * $0 }) { $0 }
    #expect(relativeDistance(try trained(rules), all) < 1e-13)
    rules.decays = loss.parameters.indices.map { $0 == 0 }
    let first = loss.parameters[0].shape.count
    let some = byHand(
      5, rate: 0.2, rates: ones, decay: Self.start.indices.map { $0 < first ? 0.3 : 0 }
    ) { $0 }
    #expect(relativeDistance(try trained(rules), some) < 1e-13)
  }

  @Test func ratesOfTheirOwn() throws {
    let loss: Objective<Double> = try Self.problem.objective()
    var factors: [Double] = []
    let given = loss.parameters.enumerated().map { index, parameter -> RateFactor in
      guard index > 0 else {
        factors += [Double](repeating: 0.1, count: parameter.shape.count)
        return .scalar(0.1)
      }
      let own = (0..<parameter.shape.count).map { Double($0) / 2 }
      factors += own
      return .tensor(own)
    }
    var rules = StepRules()
    rules.rateFactors = given
    let hand = byHand(5, rate: 0.2, rates: factors, decay: zeros) { $0 }
    let moved = try trained(rules)
    #expect(relativeDistance(moved, hand) < 1e-13)
    for index in factors.indices where factors[index] == 0 {
      #expect(moved[index] == Self.start[index])
    }
  }
}
