import PrimitiveTable
import Testing
import TensorPrograms

/// Transforms of 200 random programs, alone and composed.
@Suite struct RandomProgramTests {
  static let seeds: [UInt64] = Array(1...200)

  @Test(arguments: seeds)
  func simplifyPreservesValues(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: seed % 2 == 0)
    try instance.program.verify()
    #expect((8...120).contains(instance.program.equations.count))
    let simplified = instance.program.simplified()
    try simplified.verify()
    let inputs = instance.inputs(seed: seed)
    let before = try interpret(instance.program, inputs)
    let after = try interpret(simplified, inputs)
    #expect(before.map(\.type) == after.map(\.type))
    #expect(before.numbers.allSatisfy { $0.isFinite })
    #expect(distance(after.numbers, before.numbers) < 1e-12)
  }

  @Test(arguments: seeds)
  func gradientAgainstDifferences(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: true)
    let (x, moving) = (instance.inputs(seed: seed), instance.floatingInputs)
    let gradient = try instance.program.gradient(withRespectTo: moving)
    try gradient.verify()
    let count = instance.program.outputs.count
    let slopes = try interpret(gradient, x).dropFirst(count).flatMap(\.doubles)
    let v = directions(x.selecting(moving).map(\.type), seed: seed)
    let expected = try slope(step: 5e-4) {
      [try interpret(instance.program, x.moved(moving, by: $0, along: v))[0].scalarValue]
    }
    #expect(distance([inner(slopes, v.numbers)], expected) < 1e-8)
  }

  @Test(arguments: seeds)
  func vmapAgainstALoop(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: seed % 2 == 0)
    let program = instance.program
    let draws = (0..<3).map { instance.inputs(seed: seed + 1000 * UInt64($0)) }
    let batched = program.inputs.indices.map { (seed >> UInt64($0)) & 1 == 1 }
    let mapped = program.vmap(batched: batched, size: 3)
    try mapped.verify()
    let simplified = mapped.simplified()
    try simplified.verify()
    let inputs = batched.enumerated().map { position, isBatched in
      isBatched ? stacked(draws.map { $0[position] }) : draws[0][position]
    }
    let each = try draws.map { draw in
      try interpret(program, batched.enumerated().map { $1 ? draw[$0] : draws[0][$0] })
    }
    let expected = program.outputs.indices.map { output in stacked(each.map { $0[output] }) }
    for results in [try interpret(mapped, inputs), try interpret(simplified, inputs)] {
      #expect(results.map(\.type) == expected.map(\.type))
      #expect(distance(results.numbers, expected.numbers) < 1e-12)
    }
  }

  /// The Hessian of a sum over a batch acts on each sample alone.
  @Test(arguments: seeds.filter { $0 % 8 == 0 })
  func hessianProductOfAVmappedProgram(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: true)
    let (program, moving) = (instance.program, instance.floatingInputs)
    let batched = program.inputTypes.map(\.element.isFloating)
    let mapped = program.vmap(batched: batched, size: 2)
    let total = try Program.trace(mapped.inputTypes) { inputs in
      [inputs[0].builder.inline(mapped, inputs)[0].sum()]
    }
    let product = try total.hessianProduct(withRespectTo: moving)
    try product.primal.verify()
    try product.linear.verify()
    let single = try program.hessianProduct(withRespectTo: moving)
    try single.linear.verify()

    let first = instance.inputs(seed: seed)
    let draws = [
      first, zip(first, instance.inputs(seed: seed + 9)).map { $0.element.isFloating ? $1 : $0 },
    ]
    let ways = (0..<2).map { directions(first.selecting(moving).map(\.type), seed: seed + $0) }
    let stackedInputs = batched.indices.map { position in
      batched[position] ? stacked(draws.map { $0[position] }) : first[position]
    }
    let stackedWays = moving.indices.map { position in stacked(ways.map { $0[position] }) }
    let together = try product.apply(stackedInputs, stackedWays)
    let each = try zip(draws, ways).map { try single.apply($0, $1) }
    let expected = moving.indices.map { position in stacked(each.map { $0[position] }) }
    #expect(distance(together.numbers, expected.numbers) < 1e-11)

    let gradient = try program.gradient(withRespectTo: moving)
    let count = program.outputs.count
    let differences = try slope(step: 5e-4) {
      try interpret(gradient, first.moved(moving, by: $0, along: ways[0])).dropFirst(count)
        .flatMap(\.doubles)
    }
    #expect(distance(each[0].numbers, differences) < 1e-7)
  }

  /// Third derivatives: the gradient of `w'H(x)v`.
  @Test(arguments: seeds.filter { $0 % 8 == 1 })
  func gradientOfAHessianProduct(_ seed: UInt64) throws {
    let instance = RandomProgram.instance(seed: seed, smooth: true)
    let (program, moving) = (instance.program, instance.floatingInputs)
    let x = instance.inputs(seed: seed)
    let types = x.selecting(moving).map(\.type)
    let product = try program.hessianProduct(withRespectTo: moving)
    let curvature = try Program.trace(program.inputTypes + types + types) { values in
      let builder = values[0].builder
      let residuals = builder.inline(product.primal, Array(values.prefix(x.count)))
        .suffix(product.residualTypes.count)
      let v = values[x.count..<(x.count + types.count)]
      let w = values[(x.count + types.count)...]
      let images = builder.inline(product.linear, Array(residuals) + Array(v))
      let terms = zip(images, w).map { ($0 * $1).sum() }
      return [terms.dropFirst().reduce(terms[0], +)]
    }
    let third = try curvature.gradient(withRespectTo: moving)
    try third.verify()
    let (u, v, w) = (
      directions(types, seed: seed), directions(types, seed: seed + 1),
      directions(types, seed: seed + 2)
    )
    let slopes = try interpret(third, x + v + w).dropFirst().flatMap(\.doubles)
    let expected = try slope(step: 5e-4) {
      try interpret(curvature, x.moved(moving, by: $0, along: u) + v + w)[0].doubles
    }
    #expect(distance([inner(slopes, u.numbers)], expected) < 1e-7)
  }
}
