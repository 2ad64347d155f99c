import Curvature
import LinearMaps
import TensorPrograms
import Testing

/// Gauss-Newton and the three Fisher matrices against sums written from their definitions.
@Suite struct FisherTests {
  @Test(arguments: SmallNetwork.Loss.allCases)
  func exactFisherIsTheExpectationOverTargets(_ loss: SmallNetwork.Loss) throws {
    let network = SmallNetwork(loss)
    let map = try network.objective().curvature(.fisher, at: network.point)
    #expect(relativeDistance(try columns(map), network.fisher) < 1e-13)
  }

  /// All four losses are canonical for their distribution.
  @Test(arguments: SmallNetwork.Loss.allCases)
  func fisherIsGaussNewtonWithoutThePenalty(_ loss: SmallNetwork.Loss) throws {
    let network = SmallNetwork(loss, penalty: 0.3)
    let objective = try network.objective()
    let fisher = try columns(objective.curvature(.fisher, at: network.point))
    var gaussNewton = try columns(objective.curvature(.gaussNewton, at: network.point))
    #expect(relativeDistance(fisher, gaussNewton) > 0.01)
    let weights = objective.coordinates(
      of: try objective.definition.parameters(matching: "*weight"))
    for index in weights.joined() { gaussNewton[index * 32] -= 0.3 }
    #expect(relativeDistance(fisher, gaussNewton) < 1e-13)
  }

  /// A class per position: the loss averages over positions too, which `scale` tells.
  @Test func fisherOfSequences() throws {
    let (n, length, width, k) = (5, 4, 3, 3)
    var generator = SeededGenerator(seed: 6)
    let x = (0..<n * length * width).map { _ in generator.nextNormal() }
    let labels = (0..<n * length).map { _ in Int32(generator.next() % UInt64(k)) }
    let definition = LossDefinition(
      parameters: [.init("head.weight", [width, k])],
      model: { p, data in data[0].matmul(p[0]).tanh() },
      loss: { f, data in
        let picked = f.gather(data[1].expanded(at: 2), axis: 2, batch: 2)
        return (f.logSumExp(axis: 2) - picked.reshaped(Shape([f.shape[0], length]))).mean()
      },
      distribution: OutputDistribution(.categorical, scale: 1 / Double(length)))
    let data = [
      Tensor(x, shape: Shape([n, length, width])), Tensor(labels, shape: Shape([n, length])),
    ]
    let objective = try Objective<Double>(
      definition, data: data, executor: ReferenceExecutor(), maxBatchSize: 2)
    let point = (0..<width * k).map { _ in generator.nextNormal() }
    let fisher = try columns(objective.curvature(.fisher, at: point))
    #expect(
      relativeDistance(fisher, try columns(objective.curvature(.gaussNewton, at: point))) < 1e-13)
    // Rank one per sample, not per position.
    let sampled = try SymmetricEigensystem(
      columnMajor: columns(objective.curvature(.sampledFisher, at: point)), dimension: 9
    ).values
    #expect(sampled.count { $0 > 1e-12 } == n)
  }

  @Test(arguments: SmallNetwork.Loss.allCases)
  func empiricalFisherIsTheMeanOfOuterProducts(_ loss: SmallNetwork.Loss) throws {
    let network = SmallNetwork(loss)
    let map = try network.objective().curvature(.empiricalFisher, at: network.point)
    #expect(relativeDistance(try columns(map), network.empiricalFisher) < 1e-13)
  }

  /// The mean over `seeds` draws lies within five standard errors (of each entry's own spread).
  @Test(arguments: SmallNetwork.Loss.allCases)
  func sampledFisherTendsToTheExactOne(_ loss: SmallNetwork.Loss) throws {
    let network = SmallNetwork(loss, samples: 8)
    let objective = try network.objective()
    let direction = (0..<31).map { $0 % 2 == 0 ? 1.0 : -0.5 }
    let exact = try objective.curvature(.fisher, at: network.point)(direction)
    let seeds = 400
    var sum = [Double](repeating: 0, count: 31)
    var squares = sum
    for seed in 0..<seeds {
      let map = try objective.curvature(.sampledFisher, at: network.point, seed: UInt64(seed))
      for (index, value) in try map(direction).enumerated() {
        sum[index] += value / Double(seeds)
        squares[index] += value * value / Double(seeds)
      }
    }
    for index in 0..<31 {
      let variance = max(squares[index] - sum[index] * sum[index], 0)
      #expect(abs(sum[index] - exact[index]) <= 5 * (variance / Double(seeds)).squareRoot() + 1e-12)
    }
  }

  /// A draw of rank one per sample, and the same for the same seed.
  @Test func sampledFisherIsReproducibleAndOfRankOnePerSample() throws {
    let network = SmallNetwork(.crossEntropy, samples: 2)
    let objective = try network.objective()
    let first = try columns(objective.curvature(.sampledFisher, at: network.point, seed: 3))
    let again = try columns(objective.curvature(.sampledFisher, at: network.point, seed: 3))
    let other = try columns(objective.curvature(.sampledFisher, at: network.point, seed: 4))
    #expect(first == again)
    #expect(first != other)
    let system = try SymmetricEigensystem(columnMajor: first, dimension: 31)
    #expect(system.values.count { $0 > 1e-12 } == 2)
  }

  /// Whatever the cut into micro-batches and the width of a product.
  @Test(arguments: CurvatureKind.allCases)
  func microBatchesMakeTheWhole(_ kind: CurvatureKind) throws {
    let network = SmallNetwork(.crossEntropy, penalty: 0.1)
    let whole = try network.objective().curvature(kind, at: network.point, seed: 7)
    let expected = try columns(whole)
    #expect(relativeDistance(try blockColumns(whole), expected) < 1e-14)
    for size in [1, 4, 12] {
      let cut = try network.objective(maxBatchSize: size)
        .curvature(kind, at: network.point, seed: 7)
      #expect(relativeDistance(try columns(cut), expected) < 1e-14)
      #expect(relativeDistance(try blockColumns(cut), expected) < 1e-14)
    }
  }

  @Test(arguments: CurvatureKind.allCases)
  func symmetricAndSemidefiniteAsTold(_ kind: CurvatureKind) throws {
    let network = SmallNetwork(.crossEntropy)
    let matrix = try assembleDense(network.objective().curvature(kind, at: network.point))
    #expect(matrix.asymmetry < 1e-15)
    let values = try SymmetricEigensystem(columnMajor: matrix.columns, dimension: 31).values
    #expect((values[0] > -1e-14) == kind.isSemidefinite)
  }

  @Test func whatALossLacksIsSaid() throws {
    let bare = LossDefinition(parameters: [.init("w", [2])]) { p, data in
      (data[0].matmul(p[0])).square().mean()
    }
    let data = [Tensor([1.0, 2, 3, 4], shape: [2, 2])]
    let objective = try Objective<Double>(bare, data: data, executor: ReferenceExecutor())
    for kind in CurvatureKind.allCases where kind.needsModelOutput {
      #expect(throws: CurvatureError.noModelOutput(kind)) {
        try objective.curvature(kind, at: [1, 1])
      }
    }
    let silent = LossDefinition(
      parameters: [.init("w", [2])], model: { p, data in data[0].matmul(p[0]) },
      loss: { f, _ in f.square().mean() })
    let second = try Objective<Double>(silent, data: data, executor: ReferenceExecutor())
    #expect(throws: CurvatureError.noDistribution(.fisher)) {
      try second.curvature(.fisher, at: [1, 1])
    }
    #expect(try second.curvature(.empiricalFisher, at: [1, 1]).dimension == 2)
  }
}
