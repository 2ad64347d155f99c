import Curvature
import LinearMaps
import TensorPrograms
import Testing

/// Who is named when a product is not finite.
@Suite struct NonFiniteTests {
  static let kinds: [CurvatureKind] = [.hessian, .gaussNewton]

  /// `f = mean (a x)^2 / 2 + mean exp(b x)`: with `x = 800` in one sample the exponential overflows, in the
  /// part of `b` alone.
  @Test(arguments: kinds, [1, 2, 8])
  func parameterAndBatch(_ kind: CurvatureKind, _ size: Int) throws {
    let definition = LossDefinition(
      parameters: [.init("slope", []), .init("growth", [])],
      model: { p, data in
        let (a, b) = ((data[0] * p[0]).expanded(at: 1), (data[0] * p[1]).expanded(at: 1))
        return Traced.concatenate([a, b], axis: 1)
      },
      loss: { f, _ in
        let (a, b) = (f.slice(axis: 1, 0..<1), f.slice(axis: 1, 1..<2))
        return (a.square() * 0.5 + b.exp()).mean()
      })
    let x = (0..<8).map { $0 == 5 ? 800.0 : 1 }
    let objective = try Objective<Double>(
      definition, data: [Tensor(x, shape: [8])], executor: ReferenceExecutor(), maxBatchSize: size)
    let map = try objective.curvature(kind, at: [1, 1])
    let expected = CurvatureError.nonFiniteProduct(parameter: "growth", batch: 5 / size + 1)
    #expect(throws: expected) { try map([1, 1]) }
    #expect(throws: expected) {
      try blockColumns(RestrictedMap(map, to: [1..<2]))
    }
    // The other parameter's own block is finite.
    let slope = try objective.curvature(kind, at: [1, 1], parameters: [0])
    #expect(try slope([1])[0].isFinite)
    let growth = try objective.curvature(kind, at: [1, 1], parameters: [1])
    #expect(throws: expected) { try growth([1]) }
  }

  @Test func blockProductsNameTheParameterToo() throws {
    let definition = LossDefinition(
      parameters: [.init("calm", [6]), .init("wild", [6])]
    ) { p, data in
      (data[0] * 0.0).sum() + p[0].square().sum() + (p[1] * 1000.0).exp().sum()
    }
    let objective = try Objective<Double>(
      definition, data: [Tensor([1.0], shape: [1])], executor: ReferenceExecutor())
    let map = try objective.hessian(at: [Double](repeating: 1, count: 12))
    #expect(throws: CurvatureError.nonFiniteProduct(parameter: "wild", batch: 1)) {
      try blockColumns(map)
    }
  }

  @Test func brokenPointDataOrDirection() throws {
    var network = SmallNetwork(.halfSquares)
    let objective = try network.objective(maxBatchSize: 4)
    var point = network.point
    point[20] = .nan
    let ones = [Double](repeating: 1, count: 31)
    #expect(throws: CurvatureError.nonFinitePoint(parameter: "output.weight")) {
      try objective.hessian(at: point)(ones)
    }
    var direction = ones
    direction[3] = .infinity
    #expect(throws: LinearMapError.nonFiniteVector(role: "direction", index: 3)) {
      try objective.hessian(at: network.point)(direction)
    }
    network = SmallNetwork(.halfSquares)
    var x = network.x
    x[9 * 3 + 1] = .infinity
    let broken = try Objective<Double>(
      network.definition,
      data: [Tensor(x, shape: [13, 3]), network.data[1]], executor: ReferenceExecutor(),
      maxBatchSize: 4)
    #expect(throws: CurvatureError.nonFiniteData(array: 0, sample: 9)) {
      try broken.hessian(at: network.point)(ones)
    }
  }

  @Test(arguments: [
    CurvatureError.noModelOutput(.fisher), .noDistribution(.sampledFisher),
    .noParameter(pattern: "x*", names: ["a", "b"]), .nonFinitePoint(parameter: "a"),
    .nonFiniteData(array: 0, sample: 3), .nonFiniteProduct(parameter: "a", batch: 2),
  ])
  func errorsAreOneSentenceWithANextStep(_ error: CurvatureError) {
    #expect(!error.description.contains("\n") && !error.description.contains(". "))
    #expect(error.description.contains(";"))
    #expect(error.errorDescription == error.description)
  }
}
