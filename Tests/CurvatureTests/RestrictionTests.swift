import Curvature
import LinearMaps
import TensorPrograms
import Testing

@Suite struct RestrictionTests {
  @Test(arguments: CurvatureKind.allCases)
  func partsAreSubmatrices(_ kind: CurvatureKind) throws {
    let network = SmallNetwork(.crossEntropy, penalty: 0.2)
    let objective = try network.objective(maxBatchSize: 5)
    let whole = try objective.curvature(kind, at: network.point, seed: 5)
    let dense = try columns(whole)
    for pattern in ["hidden.*", "*.bias", "output.weight", "hidden.bias, output.bias", "*"] {
      let chosen = try objective.definition.parameters(matching: pattern)
      let coordinates = objective.coordinates(of: chosen)
      let expected = submatrix(dense, coordinates.flatMap { Array($0) }, of: 31)
      let part = try objective.curvature(kind, at: network.point, parameters: chosen, seed: 5)
      #expect(relativeDistance(try columns(part), expected) < 1e-13)
      #expect(relativeDistance(try blockColumns(part), expected) < 1e-13)
      let embedded = RestrictedMap(whole, to: coordinates)
      #expect(relativeDistance(try columns(embedded), expected) < 1e-13)
      #expect(relativeDistance(try blockColumns(embedded), expected) < 1e-13)
    }
  }

  /// Fewer operations than embedding in the whole.
  @Test func aPartCostsLess() throws {
    let network = SmallNetwork(.crossEntropy)
    let objective = try network.objective()
    let last = try objective.definition.parameters(matching: "output.*")
    let part = try objective.curvature(.hessian, at: network.point, parameters: last)
    let whole = try objective.hessian(at: network.point)
    #expect(try part.productOperations() < 0.5 * whole.productOperations())
  }

  @Test(arguments: [CurvatureKind.hessian, .fisher])
  func blockDiagonal(_ kind: CurvatureKind) throws {
    let network = SmallNetwork(.halfSquares)
    let objective = try network.objective()
    let whole = try objective.curvature(kind, at: network.point)
    let dense = try columns(whole)
    func kept(_ isKept: (_ row: Int, _ column: Int) -> Bool) -> [Double] {
      dense.indices.map { isKept($0 % 31, $0 / 31) ? dense[$0] : 0 }
    }
    let expected = kept { ($0 < 16) == ($1 < 16) }
    let blocks = try objective.blockDiagonal(kind, at: network.point)
    #expect(blocks.blocks.count == 2)
    #expect(relativeDistance(try columns(blocks), expected) < 1e-13)
    let embedded = BlockDiagonalMap(whole, blocks: [[0..<16], [16..<31]])
    #expect(relativeDistance(try blockColumns(embedded), expected) < 1e-13)
    // Coordinates in no block have zero rows; a block need not be contiguous.
    let partial = BlockDiagonalMap(whole, blocks: [[0..<2, 30..<31]])
    let few = [0, 1, 30]
    #expect(try columns(partial) == kept { few.contains($0) && few.contains($1) })
  }

  @Test func layersAndPatterns() throws {
    func definition(_ names: [String]) -> LossDefinition {
      LossDefinition(parameters: names.map { .init($0, [1]) }) { p, _ in p[0].sum() }
    }
    let dotted = definition(["encoder.0.weight", "encoder.0.bias", "encoder.1.weight", "head"])
    #expect(dotted.layers.map(\.name) == ["encoder.0", "encoder.1", "layer1"])
    #expect(dotted.layers.map(\.parameters) == [[0, 1], [2], [3]])
    #expect(try dotted.parameters(matching: "encoder.?.weight") == [0, 2])
    #expect(try dotted.parameters(matching: "*.0.*") == [0, 1])
    #expect(try dotted.parameters(matching: "head,*bias") == [1, 3])
    #expect(try dotted.parameters(matching: "layer1.head") == [3])
    let numbered = definition(["weights1", "bias1", "weights2", "bias2"])
    #expect(numbered.layers.map(\.name) == ["layer1", "layer2"])
    #expect(try numbered.parameters(matching: "layer2.*") == [2, 3])
    #expect(try numbered.parameters(matching: "w*1") == [0])
    #expect(definition(["weights", "bias"]).layers.map(\.parameters) == [[0, 1]])
    #expect(
      throws: CurvatureError.noParameter(
        pattern: "layer3.*",
        names: ["weights1", "bias1", "weights2", "bias2"])
    ) { try numbered.parameters(matching: "weights1,layer3.*") }
  }

  @Test func layerTable() throws {
    let network = SmallNetwork(.crossEntropy)
    let objective = try network.objective()
    let dense = try columns(objective.hessian(at: network.point))
    let table = try objective.layerCurvature(
      .hessian, at: network.point, exactTraceLimit: 15
    ) { map in
      MeasuredTrace(value: -1, standardError: 2, operatorApplications: map.dimension + 1)
    }
    #expect(table.map(\.layer) == ["hidden", "output"])
    #expect(table.map(\.parameterCount) == [16, 15])
    for (row, range) in zip(table, [0..<16, 16..<31]) {
      let block = submatrix(dense, Array(range), of: 31)
      let values = try SymmetricEigensystem(columnMajor: block, dimension: range.count).values
      #expect(abs(row.sharpness - values.last!) <= row.residual + 1e-12)
      #expect(row.upperBound! >= values.last!)
    }
    let trace = (16..<31).reduce(0) { $0 + dense[$1 * 32] }
    #expect(abs(table[1].trace! - trace) < 1e-13)
    #expect(table[1].traceStandardError == 0)
    #expect(table[0].trace == -1 && table[0].traceApplications == 17)
  }
}
