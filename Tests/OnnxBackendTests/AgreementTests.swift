import OnnxBackend
import PrimitiveTable
import TensorPrograms
import Testing

/// ONNX Runtime against the interpreter.
@Suite struct AgreementTests {
  static let onnx = Result { try OnnxExecutor() }
  static let seeds: ClosedRange<UInt64> = 1...5
  static let programSeeds: [UInt64] = Array(1...200)

  /// The largest difference, relative to the largest magnitude where that is above 1.
  private static func distance(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.type == b.type else { return .infinity }
    let (x, y) = (a.doubles, b.doubles)
    let scale = max(1, y.filter(\.isFinite).map(\.magnitude).max() ?? 1)
    return zip(x, y).map { x, y in
      x == y || (x.isNaN && y.isNaN) ? 0 : x.isNaN || y.isNaN ? .infinity : abs(x - y) / scale
    }.max() ?? 0
  }

  private static func requireAgreement(
    _ program: Program, _ inputs: [Tensor], _ tolerance: Double, _ label: String
  ) throws {
    let expected = try ReferenceExecutor().compile(program).run(inputs)
    let results = try onnx.get().compile(program).run(inputs)
    for (result, reference) in zip(results, expected) {
      let distance = distance(result, reference)
      #expect(distance <= tolerance, "\(label)\n\(program)\n\(result)\n\(reference)")
    }
  }

  /// A factor that float32 cannot hold, beside a float64 product, alone and with batched operands.
  @Test(arguments: [1.0 / 13, 0.1], [[], [true, false], [false, true], [true, true]])
  func factorsOfProductsKeepTheirPrecision(_ factor: Double, _ batched: [Bool]) throws {
    var program = try Program.trace([.float64(4, 5), .float64(5, 3)]) { inputs in
      let (a, b) = (inputs[0], inputs[1])
      let product = a.matmul(b)
      return [
        product * factor, (a * factor).matmul(b), (product * factor).matmul(b.transposed()),
        a.matmul(b * factor), (product * factor).tanh(),
      ]
    }
    if !batched.isEmpty { program = program.vmap(batched: batched, size: 8).simplified() }
    let inputs = program.inputTypes.enumerated().map { index, type in
      Tensor((0..<type.shape.count).map { Double($0 * 7 % 11 + index) / 3 - 1 }, type: type)
    }
    let expected = try ReferenceExecutor().compile(program).run(inputs)
    let results = try Self.onnx.get().compile(program).run(inputs)
    for (result, reference) in zip(results, expected) {
      let scale = reference.doubles.map(abs).max()!
      for (x, y) in zip(result.doubles, reference.doubles) { #expect(abs(x - y) <= 1e-14 * scale) }
    }
  }

  @Test(arguments: PrimitiveTable.rows)
  func primitives(_ row: PrimitiveRow) throws {
    for element in row.elements where row.interpreterOnly(element) == nil {
      for seed in Self.seeds {
        let instance = row.instance(element, seed: seed)
        try Self.requireAgreement(
          instance.program, instance.inputs(seed: seed), row.agreement(element),
          "\(row) in \(element), seed \(seed)")
      }
    }
  }

  /// The directional derivative, its transpose and `vmap` of every row: primitives as transforms leave
  /// them, with broadcasts and transpositions pending.
  @Test(arguments: PrimitiveTable.rows)
  func transforms(_ row: PrimitiveRow) throws {
    // Only float32 has operators for convolutions.
    let elements =
      row.kind == .structural(.convolution) ? row.elements : Array(row.elements.prefix(1))
    for element in elements where row.interpreterOnly(element) == nil {
      for seed in Self.seeds.prefix(2) { try Self.requireAgreementOfTransforms(row, element, seed) }
    }
  }

  private static func requireAgreementOfTransforms(
    _ row: PrimitiveRow, _ element: ElementType, _ seed: UInt64
  ) throws {
    let tolerance = 10 * row.agreement(element)
    let instance = row.instance(element, seed: seed)
    let program = instance.program
    let inputs = instance.inputs(seed: seed)
    for pattern in 1..<(1 << program.inputs.count) {
      let batched = program.inputs.indices.map { pattern >> $0 & 1 == 1 }
      let mapped = program.vmap(batched: batched, size: 3)
      let draws = (0..<3).map { instance.inputs(seed: seed + 10 * $0) }
      let stacked = zip(mapped.inputTypes, inputs.indices).map { type, index in
        batched[index]
          ? Tensor(draws.flatMap { $0[index].doubles }, type: type) : inputs[index]
      }
      try requireAgreement(mapped, stacked, tolerance, "vmap of \(row), seed \(seed)")
    }
    if case .none = row.derivative { return }
    let moving = instance.floatingInputs
    let linearization = program.linearized(withRespectTo: moving)
    try requireAgreement(
      linearization.primal, inputs, tolerance, "linearized \(row), seed \(seed)")
    let residuals = Array(
      try ReferenceExecutor().compile(linearization.primal).run(inputs)
        .dropFirst(program.outputs.count))
    let ones = linearization.linear.inputTypes.dropFirst(residuals.count)
      .map { Tensor(repeating: 0.75, type: $0) }
    try requireAgreement(
      linearization.linear, residuals + ones, tolerance, "linear \(row), seed \(seed)")
    let transposed = linearization.transposed
    let cotangents = transposed.inputTypes.dropFirst(residuals.count)
      .map { Tensor(repeating: 0.75, type: $0) }
    try requireAgreement(
      transposed, residuals + cotangents, tolerance, "transposed \(row), seed \(seed)")
  }

  @Test(arguments: programSeeds)
  func randomPrograms(_ seed: UInt64) throws {
    let element: ElementType = seed % 4 == 3 ? .float32 : .float64
    let instance = RandomProgram.instance(seed: seed, element: element, smooth: seed % 2 == 0)
    let tolerance = element == .float32 ? 1e-5 : 1e-12
    let inputs = instance.inputs(seed: seed)
    for program in [instance.program, instance.program.simplified()] {
      try Self.requireAgreement(program, inputs, tolerance, "random program \(seed)")
    }
  }

  /// Gradient and Hessian products of random programs, alone and for three directions at once.
  @Test(arguments: programSeeds.filter { $0 % 8 == 0 })
  func hessianProductsOfRandomPrograms(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: true)
    let (program, moving) = (instance.program, instance.floatingInputs)
    let scalar = try Program.trace(program.inputTypes) { inputs in
      [inputs[0].builder.inline(program, inputs)[0].sum()]
    }
    let inputs = instance.inputs(seed: seed)
    try Self.requireAgreement(
      scalar.gradient(withRespectTo: moving), inputs, 1e-11, "gradient of program \(seed)")
    let product = try scalar.hessianProduct(withRespectTo: moving)
    let values = try ReferenceExecutor().compile(product.primal).run(inputs)
    let residuals = Array(values.suffix(product.residualTypes.count))
    let directions = instance.inputs(seed: seed + 1)
    let one = moving.map { directions[$0] }
    try Self.requireAgreement(
      product.linear, residuals + one, 1e-10, "Hessian product of program \(seed)")
    let batched = residuals.map { _ in false } + moving.map { _ in true }
    let three = product.linear.vmap(batched: batched, size: 3)
    let stacked = moving.map { index in
      Tensor(
        (0..<3).flatMap { instance.inputs(seed: seed + $0)[index].doubles },
        type: TensorType(inputs[index].element, inputs[index].shape.inserting(3, at: 0)))
    }
    try Self.requireAgreement(
      three, residuals + stacked, 1e-10, "three Hessian products of program \(seed)")
    try Self.requireAgreement(
      three.simplified(), residuals + stacked, 1e-10, "simplified, program \(seed)")
  }
}
