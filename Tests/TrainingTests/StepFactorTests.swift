import Foundation
import Testing
import Training

@Suite struct StepFactorTests {
  /// Products `eta lambda` of every shape, for each momentum: overdamped, nearly and exactly
  /// defective at both ends, complex on both sides, alternating, diverging and negative.
  static let cases: [(momentum: Double, product: Double)] = {
    let momenta: [Double] = [0, 0.3, 0.5, 0.9, 0.99]
    var cases: [(momentum: Double, product: Double)] = []
    for b in momenta {
      let root = b.squareRoot()
      let low = (1 - root) * (1 - root)
      let high = (1 + root) * (1 + root)
      let below = 1 - 1e-9
      let above = 1 + 1e-9
      let edge = 2 + 2 * b
      var products: [Double] = [-0.01, 0, 1e-6, low / 2, low * below, low, low * above, low * 2]
      products += [0.5, 1, 1 + b, 1.5, 1.9, high * below, high, high * above]
      products += [(high + edge) / 2, edge, 2.5]
      cases += products.map { (b, $0) }
    }
    return cases
  }()

  @Test(arguments: cases)
  func `equals the recurrence`(momentum: Double, product: Double) {
    let factor = StepFactor(rate: 1, eigenvalue: product, momentum: momentum)
    var (current, previous) = (1.0, 1.0)
    // Rounding of the recurrence is measured against the largest iterate of the last few steps.
    var scale = 1.0
    for k in 0...60 {
      let value = factor.value(after: Double(k))
      scale = max(abs(current), abs(previous), scale * 0.5)
      #expect(
        abs(value - current) <= 2e-6 * scale
          && factor.envelope(after: Double(k)) >= abs(value) * 0.999999,
        "k = \(k): \(value) against \(current)")
      if (product - 1).magnitude < 0.6, momentum < 0.95 {
        #expect(abs(value - current) <= 1e-10 * scale)
      }
      (current, previous) = (
        (1 + momentum - product) * current - momentum * previous, current
      )
    }
  }

  /// With an exact rational reference: `(1 - 2^-20)^k` and friends have known logarithms.
  @Test func `stays accurate for enormous step counts`() {
    let factor = StepFactor(rate: 1e-12, eigenvalue: 1)
    #expect(close(factor.value(after: 1e12), exp(-1 - 0.5e-12), 1e-12))
    let heavy = StepFactor(rate: 1e-13, eigenvalue: 1, momentum: 0.9)
    #expect(close(heavy.value(after: 1e12), exp(-1), 1e-9))
    let edge = StepFactor(rate: 2 - 1e-10, eigenvalue: 1)
    #expect(close(abs(edge.value(after: 1e10)), exp(-1), 1e-6))
  }

  @Test func `the limit of each rule is where the factor reaches one`() {
    for b in [0.0, 0.5, 0.9, 0.99] {
      let limit = StepRule.momentum(b).criticalProduct
      #expect(StepFactor(rate: 1, eigenvalue: limit * 0.999, momentum: b).logPerStep < 0)
      #expect(StepFactor(rate: 1, eigenvalue: limit * 1.001, momentum: b).logPerStep > 0)
    }
    #expect(close(StepRule.momentum(0.9).criticalProduct, 3.8, 1e-14))
    #expect(close(StepRule.momentum(0.99).criticalProduct, 3.98, 1e-14))
    #expect(close(StepRule.averagedMomentum(0.9).criticalProduct, 38, 1e-14))
    #expect(close(StepRule.averagedMomentum(0.99).criticalProduct, 398, 1e-13))
    #expect(close(StepRule.adam(beta1: 0.9).criticalProduct, 38, 1e-14))
    #expect(StepRule.gradientDescent.limit(curvature: 10) == 0.2)
    #expect(StepRule.gradientDescent.limit(curvature: -1) == nil)
  }
}
