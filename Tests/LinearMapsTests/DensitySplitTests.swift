import Foundation
import Testing

@testable import LinearMaps

/// Shares and sums of the eigenvalues on both sides of a number, against the eigenvalues.
@Suite struct DensitySplitTests {
  enum Kind: String, CaseIterable, Sendable {
    /// Ten outliers over a bulk at zero whose fifth part is just negative.
    case network
    /// Most eigenvalues zero to rounding, some positive: an empirical Fisher matrix.
    case lowRank
    case semicircle
    /// A tenth at -1, the rest at 1 and 2.
    case clusters
    /// One negative eigenvalue.
    case single
    /// Over six decades on either side.
    case decades

    func eigenvalues(_ n: Int, _ generator: inout SeededGenerator) -> [Double] {
      (0..<n).map { index in
        let u = generator.nextUniform()
        switch self {
        case .network:
          if index < 10 { return 10 + 5 * u }
          if index < n / 5 { return -0.05 * u }
          return index < n / 2 ? 1e-4 * (u - 0.5) : 0.3 * u * u
        case .lowRank: return index < n / 8 ? u : 1e-15 * (u - 0.5)
        case .semicircle: return sin(Double.pi * (u - 0.5))
        case .clusters: return (index < n / 10 ? -1 : index % 2 == 0 ? 1 : 2) + 1e-3 * u
        case .single: return index == 0 ? -0.5 : u
        case .decades: return (index % 3 == 0 ? -1 : 1) * pow(10, -6 * u)
        }
      }
    }
  }

  static let cases = Kind.allCases.flatMap { kind in
    SpectralDensity.Method.allCases.map { (kind, $0) }
  }

  /// Coverage over seeds, of the shares below several numbers and of the sums: at a failure probability of
  /// 0.1 a share of 0.1 may fail, and far fewer do; at the default hardly one.
  @Test(arguments: cases)
  func intervalsHold(_ kind: Kind, _ method: SpectralDensity.Method) throws {
    let runs = 24
    var generator = SeededGenerator(seed: 11)
    for (failure, allowed) in [(0.1, 5), (0.01, 1)] {
      var misses = [0, 0, 0]
      for run in 0..<runs {
        let n = [300, 1100, 1500][run % 3]
        let values = kind.eigenvalues(n, &generator)
        let at = [-1e-12, -0.01, 0.02][run % 3 == 0 ? run % 2 : 0]
        var options = SpectralDensity.Options()
        options.method = method
        options.basis = run % 2 == 0 ? .stored : .free
        options.seed = UInt64(run)
        options.failureProbability = failure
        options.splits = [at, 100, -100]
        // Steps and probes as they come for an error, and two fixed choices.
        if run % 4 < 2 {
          options.error = 0.03
        } else {
          (options.error, options.steps, options.probes) = (nil, 12 + run, 1 + run % 3)
        }
        let density = try SpectralDensity(of: DiagonalMap(values), options: options)
        let split = density.splits[0]
        let truth = SpectralDensity.Split(at: at, eigenvalues: values)
        func holds(_ interval: SpectralDensity.Interval, _ value: Double) -> Bool {
          interval.lower <= value + 1e-12 && value <= interval.upper + 1e-12
        }
        misses[0] += holds(split.share, truth.share.lower) ? 0 : 1
        misses[1] += holds(split.below, truth.below.lower) ? 0 : 1
        misses[2] += holds(split.above, truth.above.lower) ? 0 : 1
        #expect(split.share.lower >= 0 && split.share.upper <= 1)
        #expect(density.splits[1].share.upper == 1 && density.splits[2].share.lower == 0)
        if method == .lanczos {
          #expect(density.splits[1].share.lower == 1 && density.splits[2].share.upper == 0)
        }
      }
      #expect(misses.allSatisfy { $0 <= allowed }, "\(kind) \(method) \(failure): \(misses)")
    }
  }

  /// The estimate says nothing of the share below zero where most eigenvalues are zero, and the interval
  /// says so; where the spectrum is resolved it is narrow.
  @Test func widthFollowsTheResolution() throws {
    var generator = SeededGenerator(seed: 3)
    var options = SpectralDensity.Options()
    options.splits = [-1e-9]
    options.error = 0.03
    var estimates: [Double] = []
    for seed in 0..<5 {
      options.seed = UInt64(seed)
      let density = try SpectralDensity(
        of: DiagonalMap(Kind.network.eigenvalues(1200, &generator)), options: options)
      let share = density.splits[0].share
      #expect(share.lower <= 0.35 && 0.35 <= share.upper, "\(share)")
      estimates.append(density.negativeMass(below: -1e-9))
    }
    #expect(estimates.max()! - estimates.min()! > 0.05, "\(estimates)")
    let clusters = try SpectralDensity(
      of: DiagonalMap(Kind.clusters.eigenvalues(1200, &generator)), options: options)
    let share = clusters.splits[0].share
    #expect(share.lower > 0.05 && share.upper < 0.15, "\(share)")
    let weight = clusters.splits[0].weightShare
    #expect(weight.lower > 0.03 && weight.upper < 0.15, "\(weight)")
  }

  /// All eigenvalues known: the shares are counted.
  @Test func exactSplit() throws {
    let values = [-2.0, -1, 0, 3]
    let split = SpectralDensity.Split(at: 0, eigenvalues: values)
    #expect(split.share == .init(lower: 0.5, upper: 0.5))
    #expect(split.below == .init(lower: 0.75, upper: 0.75))
    #expect(split.above == .init(lower: 0.75, upper: 0.75))
    #expect(split.weightShare == .init(lower: 0.5, upper: 0.5))
    var options = SpectralDensity.Options()
    options.splits = [-0.5]
    options.error = 1e-9
    let density = try SpectralDensity(of: DiagonalMap(values), options: options)
    #expect(density.splits[0].share == .init(lower: 0.5, upper: 0.5))
    let none = SpectralDensity.Split(at: 0, eigenvalues: [0, 0])
    #expect(none.share.upper == 0 && none.weightShare == .init(lower: 0, upper: 1))
  }
}
