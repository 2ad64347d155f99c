import Foundation
import LinearMaps
import Testing

@testable import Training

/// The factor of any recurrence of second order, by the pair of its roots.
@Suite struct GeneralStepFactorTests {
  /// Two roots and a first step, with everything that a method would state of them without cancellation.
  struct Case: Sendable, CustomStringConvertible {
    var kind: String
    var trace: Double
    var determinant: Double
    var gapAtOne: Double
    var gapAtMinusOne: Double
    var discriminant: Double
    var first: Double

    init(_ kind: String, _ r1: Double, _ r2: Double, first: Double) {
      self.kind = kind
      trace = r1 + r2
      determinant = r1 * r2
      gapAtOne = (1 - r1) * (1 - r2)
      gapAtMinusOne = (1 + r1) * (1 + r2)
      discriminant = (r1 - r2) * (r1 - r2)
      self.first = first
    }

    /// `modulus e^(+-i angle)`.
    init(_ kind: String, modulus: Double, angle: Double, first: Double) {
      self.kind = kind
      trace = 2 * modulus * cos(angle)
      determinant = modulus * modulus
      let (x, y) = (modulus * cos(angle), modulus * sin(angle))
      gapAtOne = (1 - x) * (1 - x) + y * y
      gapAtMinusOne = (1 + x) * (1 + x) + y * y
      discriminant = -4 * y * y
      self.first = first
    }

    var factor: StepFactor {
      StepFactor(
        trace: trace, determinant: determinant, first: first, gapAtOne: gapAtOne,
        gapAtMinusOne: gapAtMinusOne, discriminant: discriminant)
    }

    var description: String { "\(kind) \(trace) \(determinant) \(first)" }

    /// `p_0 ... p_count` by the recurrence.
    func course(_ count: Int) -> [Double] {
      var values = [1, first]
      while values.count <= count {
        values.append(
          trace * values[values.count - 1] - determinant * values[values.count - 2])
      }
      return values
    }
  }

  static let cases: [Case] = {
    var generator = SeededGenerator(seed: 12)
    func random(_ range: ClosedRange<Double>) -> Double { .random(in: range, using: &generator) }
    var cases: [Case] = []
    for _ in 0..<25 {
      let first = random(-1.5...1.5)
      cases.append(Case("real", random(0...1.05), random(0...1.05), first: first))
      cases.append(Case("negative", random(-1.05...0), random(-1.05...0), first: first))
      cases.append(Case("opposite", random(-1.05...0), random(0...1.05), first: first))
      cases.append(
        Case("complex", modulus: random(0.01...1.05), angle: random(0.01...3.13), first: first))
      let root = random(-1...1)
      cases.append(Case("double", root, root, first: first))
      let apart = pow(10, random(-14 ... -6))
      cases.append(Case("nearly double", root, root * (1 - apart), first: first))
      cases.append(
        Case(
          "nearly double, complex", modulus: abs(root), angle: root < 0 ? .pi - apart : apart,
          first: first))
      cases.append(Case("one tiny", root, 1e-20 * random(-1...1), first: first))
      cases.append(Case("one zero", root, 0, first: first))
      cases.append(Case("along a root", root, 0.3, first: 0.3))
      cases.append(
        Case("tiny, complex", modulus: 1e-9 * abs(root), angle: random(0.1...3), first: first))
    }
    for first in [-0.9, 0, 0.5, 1.5] {
      cases.append(Case("both zero", 0, 0, first: first))
      cases.append(Case("mirrored", 0.5, -0.5, first: first))
      cases.append(Case("at one", 1, 0.5, first: first))
      cases.append(Case("both at one", 1, 1, first: first))
      cases.append(Case("at minus one", -1, 0.5, first: first))
      cases.append(Case("at one and minus one", 1, -1, first: first))
    }
    return cases
  }()

  @Test func equalsTheRecurrence() {
    for row in Self.cases {
      let factor = row.factor
      // Rounding of either excites the larger root.
      var scale = 1.0
      let off = row.course(80).enumerated().first { k, expected in
        scale = max(abs(expected), scale * max(0.5, abs(factor.perStep)))
        return !(abs(factor.value(after: Double(k)) - expected) <= 1e-9 * scale)
      }
      #expect(off == nil, "\(row): \(off.map { factor.value(after: Double($0.offset)) } ?? 0)")
    }
  }

  /// The bound holds everywhere, and falls from the crest on.
  @Test func envelopeBounds() {
    for row in Self.cases {
      let factor = row.factor
      let course = row.course(400)
      let bounds = (0...400).map { factor.envelope(after: Double($0)) }
      for k in course.indices {
        #expect(bounds[k] >= abs(course[k]) * (1 - 1e-9) - 1e-12, "\(row), k = \(k)")
      }
      guard factor.logPerStep < 0 else { continue }
      let crest = factor.crest.rounded(.up)
      #expect(crest.isFinite && crest >= 0, "\(row)")
      for k in max(0, Int(min(crest, 400)))..<400 {
        #expect(bounds[k + 1] <= bounds[k] * (1 + 1e-12), "\(row), k = \(k) past \(crest)")
      }
      // No more than some times what the course itself comes to again and again.
      let height = course[0...].map(abs).max()!
      #expect(bounds.max()! <= 4 * height + 1e-9, "\(row): \(bounds.max()!) above \(height)")
    }
  }

  @Test func monotoneMeansMonotone() {
    var seen = 0
    for row in Self.cases where row.factor.isMonotone {
      seen += 1
      #expect(row.factor.isOverdamped)
      let course = row.course(200)
      #expect(course.allSatisfy { $0 >= -1e-12 }, "\(row)")
      if row.factor.logPerStep <= 0 {
        #expect(
          zip(course, course.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-9) + 1e-15 }, "\(row)")
      }
    }
    #expect(seen > 20)
    // And where both roots are positive and the start is along them, it is said.
    #expect(Case("", 0.9, 0.5, first: 0.7).factor.isMonotone)
    #expect(Case("", 0.9, 0.5, first: 0.5).factor.isMonotone)
    #expect(!Case("", 0.9, 0.5, first: 0.4).factor.isMonotone)
    #expect(!Case("", 0.9, 0.5, first: 1.1).factor.isMonotone)
    #expect(!Case("", 0.9, -0.1, first: 0.9).factor.isMonotone)
  }

  @Test func rateOfDecayNextToOne() {
    for small in [1e-6, 1e-10, 1e-14] {
      let near = Case("", 1 - small, 0.5, first: 0.9)
      // The gap is stated exactly, though the trace holds only its first digits.
      var exact = near
      exact.gapAtOne = small * 0.5
      #expect(abs(exact.factor.logPerStep - log1p(-small)) <= 1e-9 * small)
      var mirrored = Case("", -(1 - small), -0.5, first: -0.9)
      mirrored.gapAtMinusOne = small * 0.5
      #expect(abs(mirrored.factor.logPerStep - log1p(-small)) <= 1e-9 * small)
      #expect(abs(mirrored.factor.perStep - -(1 - small)) < 1e-15)
      // After 1/small steps the larger root's part has come down to 1/e of its own.
      let share = (0.9 - 0.5) / 0.5
      #expect(abs(exact.factor.value(after: (1 / small).rounded()) - share * exp(-1)) < 1e-5)
    }
    let complex = Case("", modulus: 1 - 1e-8, angle: 0.3, first: 0.5)
    #expect(abs(complex.factor.logPerStep - log1p(-1e-8)) < 1e-7 * 1e-8)
    #expect(Case("", modulus: 0.9, angle: 1, first: 1).factor.perStep == (0.9 * 0.9).squareRoot())
  }

  @Test func farBeyondTheLimit() {
    let factor = StepFactor(
      trace: -1e200, determinant: -0.9e200, first: -1.9e200, gapAtOne: 1e200,
      gapAtMinusOne: -1.9e200, discriminant: .infinity)
    #expect(abs(factor.logPerStep - 200 * log(10)) < 1e-9 && factor.perStep == -1e200)
    #expect(abs(factor.value(after: 1) / -1.9e200 - 1) < 1e-9)
  }

  /// Heavy-ball momentum is one of them, from rest: `p_1 = 1 - m`.
  @Test(arguments: StepFactorTests.cases)
  func heavyBallIsOneOfThem(momentum b: Double, product m: Double) {
    let own = StepFactor(rate: 1, eigenvalue: m, momentum: b)
    let root = b.squareRoot()
    let general = StepFactor(
      trace: 1 + b - m, determinant: b, first: 1 - m, gapAtOne: m, gapAtMinusOne: 2 + 2 * b - m,
      discriminant: (m - (1 - root) * (1 - root)) * (m - (1 + root) * (1 + root)))
    // A double root is half the digits of its square away from one.
    #expect(
      abs(own.logPerStep - general.logPerStep) <= 1e-7 || own.logPerStep == general.logPerStep)
    var scale = 1.0
    for k in 0..<60 {
      let value = own.value(after: Double(k))
      scale = max(abs(value), scale * 0.5)
      #expect(abs(general.value(after: Double(k)) - value) <= 2e-6 * scale, "k = \(k)")
    }
  }

  // MARK: Sums of them

  /// First steps, peaks and bounds of sums against stepping.
  @Test func sumsOfThem() {
    var generator = SeededGenerator(seed: 4)
    let stable = Self.cases.filter { row in
      row.factor.logPerStep < -0.01
    }
    let zero = Self.cases.filter { $0.determinant == 0 && $0.first != $0.trace }
    #expect(stable.count > 100 && zero.count > 20)
    for round in 0..<200 {
      var chosen = (0..<3).map { _ in stable.randomElement(using: &generator)! }
      if round % 4 == 0, let row = zero.randomElement(using: &generator),
        row.factor.logPerStep < -0.01
      {
        chosen = [row]
      }
      let coefficients = chosen.map { _ in Double.random(in: 0.1...1, using: &generator) }
      let sum = DecayingSum(
        coefficients: coefficients, factors: chosen.map(\.factor), constant: 0)
      let courses = chosen.map { $0.course(6000) }
      let values = (0...6000).map { k in
        zip(coefficients, courses).reduce(0) { $0 + $1.0 * $1.1[k] * $1.1[k] }
      }
      for k in [0, 1, 2, 5, 30] {
        #expect(abs(sum.value(after: Double(k)) - values[k]) <= 1e-9 * values.max()!)
      }
      #expect(abs(sum.peak(upTo: 1000) - values.max()!) <= 1e-9 * values.max()!)
      for share in [0.7, 0.1, 1e-3, 1e-8] {
        let target = share * values[0]
        let arrival = (values.lastIndex { $0 > target } ?? -1) + 1
        let found = sum.firstStep(below: target, limit: 1_000_000)
        #expect(found == arrival, "\(chosen) \(coefficients): \(share)")
        let bound = sum.boundedStep(below: target, limit: 1_000_000)
        #expect(bound.map { $0 >= arrival } ?? false, "\(chosen)")
      }
    }
  }

  @Test func sumsThatDoNotEnd() {
    let growing = DecayingSum(
      coefficients: [1], factors: [Case("", 1.01, 0.2, first: 0.5).factor], constant: 0)
    #expect(growing.firstStep(below: 0.1, limit: 1000) == nil)
    let flat = DecayingSum(
      coefficients: [1], factors: [Case("", 0.9, 0.2, first: 0.5).factor], constant: 0.2)
    #expect(flat.firstStep(below: 0.1, limit: 1000) == nil)
    #expect(flat.firstStep(below: 0.3, limit: 1000) != nil)
  }
}
