import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing

/// Spectra that theory knows.
@Suite struct KnownSpectraTests {
  /// `H = (1/K) (I - 1 1'/K) (x) X'X/n`: every eigenvalue of `X'X/n` over `K`, `K - 1` times, and `d` zeros.
  @Test(arguments: [CurvatureKind.hessian, .gaussNewton, .fisher])
  func softmaxRegressionAtZero(_ kind: CurvatureKind) throws {
    let (n, d, k) = (40, 4, 5)
    var generator = SeededGenerator(seed: 2)
    // Not centred, so that one feature direction stands apart.
    let x = (0..<n * d).map { _ in generator.nextNormal() + 3 }
    let definition = LossDefinition(
      parameters: [.init("weights", [d, k])], model: { p, data in data[0].matmul(p[0]) },
      loss: { f, data in SmallNetwork.mean(.crossEntropy, f, data[1]) },
      distribution: OutputDistribution(.categorical))
    let labels = Tensor((0..<n).map { Int32($0 % k) }, shape: [n])
    let objective = try Objective<Double>(
      definition, data: [Tensor(x, shape: [n, d]), labels], executor: ReferenceExecutor())
    let map = try objective.curvature(kind, at: [Double](repeating: 0, count: d * k))
    let values = try SymmetricEigensystem(columnMajor: columns(map), dimension: d * k).values

    var moments = [Double](repeating: 0, count: d * d)
    for row in 0..<n {
      addOuter((0..<d).map { x[row * d + $0] }, 1 / Double(n), &moments)
    }
    let features = try SymmetricEigensystem(columnMajor: moments, dimension: d).values
    let expected =
      [Double](repeating: 0, count: d)
      + features.flatMap { [Double](repeating: $0 / Double(k), count: k - 1) }
    #expect(relativeDistance(values, expected) < 1e-13)

    let outliers = SpectrumOutliers.byGap(values, classes: k, zeroThreshold: 1e-12)
    #expect(outliers.count == k - 1)
    #expect(outliers.isAsExpected == true)
    #expect(outliers.separation! > 5)
    let mass = SpectralMass(eigenvalues: values)
    let edge = mass.edge(share: Double(k - 1) / Double(d * k))
    #expect(SpectrumOutliers.above(edge, values, classes: k).count == k - 1)
    #expect(abs(edge - features[d - 2] / Double(k)) < 1e-12)
    #expect(mass.negativeShare(threshold: 1e-12) == 0)
  }

  /// The logits may all be shifted by a function of the hidden layer without changing the loss:
  /// `hidden + 1` zeros. Eigenvalues computed in 50-digit arithmetic.
  @Test func gaugeZerosOfAClassifier() throws {
    let definition = LossDefinition(
      parameters: [
        .init("w1", [2, 2]), .init("b1", [2]), .init("w2", [3, 2]), .init("b2", [3]),
      ],
      model: { p, data in
        (data[0].matmul(p[0].transposed()) + p[1]).tanh().matmul(p[2].transposed()) + p[3]
      },
      loss: { f, data in SmallNetwork.mean(.crossEntropy, f, data[1]) },
      distribution: OutputDistribution(.categorical))
    let data = [
      Tensor([1.0, 0, 0, 1, -1, -1], shape: [3, 2]), Tensor([0, 1, 2] as [Int32], shape: [3]),
    ]
    let objective = try Objective<Double>(definition, data: data, executor: ReferenceExecutor())
    let point = (1...15).map { 0.5 * sin(Double($0)) }
    let values = try SymmetricEigensystem(
      columnMajor: columns(objective.hessian(at: point)), dimension: 15
    ).values
    let known = [
      -0.4758084720728, -0.3199420270157, -0.2766794023085, -0.2203657457568, 0, 0, 0,
      0.02425196028041, 0.1320539286238, 0.2441128064716, 0.2615285540638, 0.3296340402873,
      0.463186291086, 0.5569267582755, 0.6513053499347,
    ]
    #expect(relativeDistance(values, known) < 1e-11)
    // Three samples of two free logits each: the Fisher matrix has rank six.
    let fisher = try SymmetricEigensystem(
      columnMajor: columns(objective.curvature(.fisher, at: point)), dimension: 15
    ).values
    #expect(fisher.count { $0 > 1e-12 } == 6)
  }

  /// `f = (w_1 ... w_L - 1)^2 / 2` at the balanced minimum: one eigenvalue `L`, and `L - 1` zeros along
  /// the orbit on which the product stays the same.
  @Test(arguments: [2, 3, 5])
  func deepLinearChainAtItsMinimum(_ depth: Int) throws {
    let definition = LossDefinition(
      parameters: (1...depth).map { .init("layer\($0).weight", []) },
      model: { p, data in p.dropFirst().reduce(data[0] * p[0]) { $0 * $1 } },
      loss: { f, data in (f - data[0]).square().mean() * 0.5 },
      distribution: OutputDistribution(.gaussian))
    let objective = try Objective<Double>(
      definition, data: [Tensor([1.0, -1], shape: [2])], executor: ReferenceExecutor())
    for kind in [CurvatureKind.hessian, .gaussNewton, .fisher] {
      let map = try objective.curvature(kind, at: [Double](repeating: 1, count: depth))
      let values = try SymmetricEigensystem(columnMajor: columns(map), dimension: depth).values
      let expected = [Double](repeating: 0, count: depth - 1) + [Double(depth)]
      #expect(relativeDistance(values, expected) < 1e-14)
    }
    // Every sample is fitted, so that the empirical Fisher matrix sees nothing.
    let map = try objective.curvature(
      .empiricalFisher, at: [Double](repeating: 1, count: depth))
    #expect(try columns(map).allSatisfy { $0 == 0 })
  }

  @Test func outliersAndMassOfGivenSpectra() {
    let bulk = (1...50).map { 1 - 0.01 * Double($0) }
    #expect(SpectrumOutliers.byGap(bulk + [5, 6, 9], classes: 4).count == 3)
    #expect(SpectrumOutliers.byGap(bulk + [5, 6, 9], classes: 10).isAsExpected == false)
    #expect(SpectrumOutliers.byGap(bulk, classes: 3).count == 0)
    #expect(SpectrumOutliers.byGap([0, 0, 0], classes: 2).count == 0)
    #expect(SpectrumOutliers.byGap([2], limit: 3).count == 0)
    let mass = SpectralMass(nodes: [3, -1, 0], weights: [1, 1, 2])
    #expect(mass.negativeShare() == 0.25)
    #expect(mass.negativeCurvatureShare == 0.25)
    #expect(mass.edge(share: 0.25) == 0)
    #expect(mass.edge(share: 0) == 3)
  }
}
