import PrimitiveTable
import Testing
import TensorPrograms

/// Conventions at kinks, and programs that use their inputs oddly.
@Suite struct TransformEdgeTests {
  private static let scalar = TensorType(.float64, [])
  private static let vector = TensorType(.float64, [3])

  /// (name, point, derivative) where one-sided derivatives differ.
  @Test(arguments: [
    (UnaryFunction.relu, 0.0, 0.0), (.absolute, 0, 0), (.sign, 0, 0), (.softplus, 0, 0.5),
    (.tanh, 400, 0), (.sigmoid, 800, 0), (.softplus, 800, 1), (.softplus, -800, 0),
    (.erf, 40, 0), (.square, 0, 0),
  ])
  func unaryConventions(_ function: UnaryFunction, _ x: Double, _ slope: Double) throws {
    let gradient = try Program.trace(Self.scalar) { $0.unary(function) }
      .gradient(withRespectTo: [0])
    #expect(try interpret(gradient, [Tensor(scalar: x, .float64)])[1].scalarValue == slope)
  }

  @Test func tiesShareTheDerivative() throws {
    let (a, b) = (
      Tensor([1, 2, 3] as [Double], shape: [3]), Tensor([1, 3, 2] as [Double], shape: [3])
    )
    for (function, expected) in [
      (BinaryFunction.maximum, [0.5, 0, 1, 0.5, 1, 0]), (.minimum, [0.5, 1, 0, 0.5, 0, 1]),
    ] {
      let gradient = try Program.trace(Self.vector, Self.vector) { $0.binary(function, $1).sum() }
        .gradient(withRespectTo: [0, 1])
      #expect(try interpret(gradient, [a, b]).dropFirst().flatMap(\.doubles) == expected)
    }
    let peak = try Program.trace(Self.vector) { $0.max() }.gradient(withRespectTo: [0])
    let tied = Tensor([2, 1, 2] as [Double], shape: [3])
    #expect(try interpret(peak, [tied])[1].doubles == [0.5, 0, 0.5])
  }

  @Test func powersOfZeroAndOfNegativeNumbers() throws {
    let power = try Program.trace(Self.vector) { $0.power($0.scalar(3)).sum() }
    let x = Tensor([0, -2, 1] as [Double], shape: [3])
    #expect(try interpret(power.gradient(withRespectTo: [0]), [x])[1].doubles == [0, 12, 3])
    let hessian = try power.hessianProduct(withRespectTo: [0])
    let ones = Tensor([1, 1, 1] as [Double], shape: [3])
    #expect(try hessian.apply([x], [ones])[0].doubles == [0, -12, 6])
    let constant = try Program.trace(Self.vector) { $0.power($0.scalar(0)).sum() }
    #expect(try interpret(constant.gradient(withRespectTo: [0]), [x])[1].doubles == [0, 0, 0])
  }

  /// Losses that leave out what is differentiated, or stop it.
  @Test func zeroGradients() throws {
    let bodies: [(Traced, Traced) -> Traced] = [
      { _, y in y.sum() }, { x, y in x.stopGradient().sum() * y.sum() },
      { x, y in (x.compare(.less, y).converted(to: .float64) * y).sum() },
      { x, _ in x.builder.constant(Tensor(scalar: 3, .float64)) },
    ]
    for body in bodies {
      let program = try Program.trace(Self.vector, Self.vector, body)
      let gradient = try program.gradient(withRespectTo: [0])
      try gradient.verify()
      let inputs = directions([Self.vector, Self.vector], seed: 1)
      #expect(try interpret(gradient, inputs)[1] == Tensor(repeating: 0, type: Self.vector))
      let hessian = try program.hessianProduct(withRespectTo: [0])
      try hessian.linear.verify()
      #expect(
        try hessian.apply(inputs, [inputs[0]]) == [Tensor(repeating: 0, type: Self.vector)])
    }
  }

  @Test func linearLossesHaveNoCurvature() throws {
    let program = try Program.trace(Self.vector, Self.vector) { ($0 * $1).sum() }
    let inputs = directions([Self.vector, Self.vector], seed: 2)
    let own = try program.hessianProduct(withRespectTo: [0]).apply(inputs, [inputs[1]])
    #expect(own[0].doubles == [0, 0, 0])
    let joint = try program.hessianProduct(withRespectTo: [0, 1]).apply(inputs, inputs)
    #expect(joint[0] == inputs[1] && joint[1] == inputs[0])
  }

  /// Outputs that are inputs, repeated outputs, integer outputs, an input used twice.
  @Test func oddOutputs() throws {
    let index = TensorType(.int32, [2])
    let program = try Program.trace([Self.vector, index]) { inputs in
      let (x, i) = (inputs[0], inputs[1])
      let taken = x.gather(i, axis: 0)
      return [x, i, taken, taken, x * x]
    }
    let x = [
      Tensor([1, 2, 3] as [Double], shape: [3]), Tensor([2, 2] as [Int32], shape: [2]),
    ]
    let t = Tensor([1, 10, 100] as [Double], shape: [3])
    let jvp = program.jvp(withRespectTo: [0])
    try jvp.verify()
    let expected: [[Double]] = [[1, 10, 100], [100, 100], [100, 100], [2, 40, 600]]
    #expect(try interpret(jvp, x + [t]).dropFirst(5).map(\.doubles) == expected)
    let linearization = program.linearized(withRespectTo: [0])
    #expect(try linearization.apply(x, [t]).map(\.doubles) == expected)
    let seeds = linearization.linear.outputTypes.map { Tensor(repeating: 1, type: $0) }
    let back = try interpret(linearization.transposed, try linearization.residuals(x) + seeds)
    #expect(back[0].doubles == [3, 5, 11])
    let mapped = program.vmap(batched: [false, true], size: 2)
    try mapped.verify()
    let batch = Tensor([0, 1, 2, 0] as [Int32], shape: [2, 2])
    let results = try interpret(mapped, [x[0], batch])
    #expect(results[0].doubles == [1, 2, 3, 1, 2, 3] && results[2].doubles == [1, 2, 3, 1])
  }

  /// Residuals are what the direction does not change; applying twice at one point reuses them.
  @Test func linearProgramsAreLinear() throws {
    for seed in UInt64(1)...20 {
      let instance = RandomProgram.instance(seed: seed, smooth: true)
      let (x, moving) = (instance.inputs(seed: seed), instance.floatingInputs)
      let types = x.selecting(moving).map(\.type)
      let linearization = instance.program.linearized(withRespectTo: moving)
      let residuals = try linearization.residuals(x)
      func apply(_ t: [Tensor]) throws -> [Double] {
        try interpret(linearization.linear, residuals + t).numbers
      }
      let (u, v) = (directions(types, seed: 1), directions(types, seed: 2))
      let both = try apply(u.moved(Array(types.indices), by: -2.5, along: v))
      let (a, b) = (try apply(u), try apply(v))
      #expect(distance(both, zip(a, b).map { $0 - 2.5 * $1 }) < 1e-12)
      #expect(try apply(types.map { Tensor(repeating: 0, type: $0) }).allSatisfy { $0 == 0 })
    }
  }

  @Test func emptyTensorsPassThroughEveryTransform() throws {
    let types = [TensorType(.float64, [0, 2]), TensorType(.float64, [2, 3])]
    let program = try Program.trace(types[0], types[1]) { x, w in
      x.matmul(w).tanh().square().sum() + w.sum()
    }
    let inputs = directions(types, seed: 1)
    let gradient = try interpret(try program.gradient(withRespectTo: [0, 1]), inputs)
    #expect(gradient[1].type == types[0] && gradient[2].doubles == [1, 1, 1, 1, 1, 1])
    let product = try program.hessianProduct(withRespectTo: [0, 1]).apply(inputs, inputs)
    #expect(product[1].doubles == [0, 0, 0, 0, 0, 0])
    #expect(
      try interpret(
        program.vmap(batched: [true, true], size: 0),
        [
          Tensor([] as [Double], shape: [0, 0, 2]), Tensor([] as [Double], shape: [0, 2, 3]),
        ])[0].type == TensorType(.float64, [0]))
  }
}
