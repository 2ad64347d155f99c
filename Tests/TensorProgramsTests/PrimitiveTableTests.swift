import PrimitiveTable
import Testing
import TensorPrograms

/// What every primitive must satisfy, whatever it computes.
@Suite struct PrimitiveTableTests {
  static let seeds: ClosedRange<UInt64> = 1...5
  static let differentiable = PrimitiveTable.rows.filter {
    if case .none = $0.derivative { false } else { true }
  }

  /// Step and tolerance for differences: rows that exist in float32 alone are linear.
  private func differences(_ element: ElementType) -> (step: Double, tolerance: Double) {
    element == .float64 ? (2e-4, 1e-8) : (0.125, 1e-5)
  }

  @Test func everyPrimitiveHasARow() {
    let covered = Set(PrimitiveTable.rows.map(\.kind))
    for kind in PrimitiveKind.all { #expect(covered.contains(kind), "no row for \(kind)") }
    #expect(Set(PrimitiveTable.rows.map(\.name)).count == PrimitiveTable.rows.count)
  }

  @Test(arguments: PrimitiveTable.rows)
  func rowUsesItsPrimitive(_ row: PrimitiveRow) throws {
    for element in row.elements {
      for seed in Self.seeds {
        let program = row.instance(element, seed: seed).program
        try program.verify()
        #expect(program.equations.contains { PrimitiveKind($0.primitive) == row.kind })
      }
    }
  }

  @Test(arguments: PrimitiveTable.rows)
  func simplifyPreservesValues(_ row: PrimitiveRow) throws {
    for element in row.elements {
      for seed in Self.seeds {
        let instance = row.instance(element, seed: seed)
        let simplified = instance.program.simplified()
        try simplified.verify()
        let inputs = instance.inputs(seed: seed)
        let (before, after) = (
          try interpret(instance.program, inputs), try interpret(simplified, inputs)
        )
        #expect(before.map(\.type) == after.map(\.type))
        for (a, b) in zip(before, after) {
          // Sums in the steps of a loop are taken in another order.
          let isRounded = row.kind == .structural(.scan) && a.element == .float32
          #expect(distance(a.doubles, b.doubles) < (isRounded ? 1e-6 : 1e-14))
        }
      }
    }
  }

  @Test(
    arguments: PrimitiveTable.rows.filter { Set($0.elements).isSuperset(of: [.float32, .float64]) })
  func float32AgreesWithFloat64(_ row: PrimitiveRow) throws {
    for seed in Self.seeds {
      let (narrow, wide) = (row.instance(.float32, seed: seed), row.instance(.float64, seed: seed))
      let inputs = narrow.inputs(seed: seed)
      let widened = zip(inputs, wide.program.inputTypes).map { Tensor($0.doubles, type: $1) }
      let (a, b) = (
        try interpret(narrow.program, inputs), try interpret(wide.program, widened)
      )
      for (x, y) in zip(a, b) { #expect(distance(x.doubles, y.doubles) < 2e-6) }
    }
  }

  @Test(arguments: differentiable)
  func jvpAgainstDifferences(_ row: PrimitiveRow) throws {
    let element = row.elements[0]
    let (step, tolerance) = differences(element)
    for seed in Self.seeds {
      let instance = row.instance(element, seed: seed)
      let (x, moving) = (instance.inputs(seed: seed), instance.floatingInputs)
      let tangents = directions(x.selecting(moving).map(\.type), seed: seed)
      let jvp = instance.program.jvp(withRespectTo: moving)
      try jvp.verify()
      let count = instance.program.outputs.count
      let joint = try interpret(jvp, x + tangents)
      #expect(try interpret(instance.program, x) == Array(joint.prefix(count)))
      let derivative = joint.dropFirst(count).flatMap(\.doubles)
      if case .zeroByDefinition = row.derivative {
        #expect(derivative.allSatisfy { $0 == 0 })
        continue
      }
      let expected = try slope(step: step) {
        try interpret(instance.program, x.moved(moving, by: $0, along: tangents)).numbers
      }
      #expect(distance(derivative, expected) < tolerance, "seed \(seed)\n\(jvp)")
    }
  }

  @Test(arguments: differentiable)
  func linearizationAndItsTranspose(_ row: PrimitiveRow) throws {
    let element = row.elements[0]
    let tolerance = element == .float64 ? 1e-13 : 1e-6
    for seed in Self.seeds {
      let instance = row.instance(element, seed: seed)
      let program = instance.program
      let (x, moving) = (instance.inputs(seed: seed), instance.floatingInputs)
      let tangents = directions(x.selecting(moving).map(\.type), seed: seed)
      let linearization = program.linearized(withRespectTo: moving)
      try linearization.primal.verify()
      try linearization.linear.verify()
      let transposed = linearization.transposed
      try transposed.verify()

      let values = try interpret(linearization.primal, x)
      let plain = try interpret(program, x)
      for (a, b) in zip(values, plain) { #expect(distance(a.doubles, b.doubles) < tolerance) }
      let residuals = Array(values.dropFirst(program.outputs.count))
      #expect(residuals.map(\.type) == linearization.residualTypes)
      let forward = try interpret(linearization.linear, residuals + tangents)
      let jvp = try interpret(program.jvp(withRespectTo: moving), x + tangents)
        .dropFirst(program.outputs.count)
      #expect(distance(forward.numbers, Array(jvp).numbers) < tolerance)

      let cotangents = directions(forward.map(\.type), seed: seed + 50)
      let backward = try interpret(transposed, residuals + cotangents)
      #expect(backward.map(\.type) == tangents.map(\.type))
      let (left, right) = (
        inner(cotangents.numbers, forward.numbers), inner(backward.numbers, tangents.numbers)
      )
      #expect(
        abs(left - right) < 10 * tolerance * (1 + abs(left)),
        "seed \(seed): \(left) and \(right)\n\(linearization.linear)\n\(transposed)")
    }
  }

  @Test(arguments: PrimitiveTable.rows)
  func vmapAgainstALoop(_ row: PrimitiveRow) throws {
    for seed in Self.seeds {
      let instance = row.instance(row.elements[0], seed: seed)
      let program = instance.program
      let size = seed == 2 ? 1 : 3
      let draws = (0..<size).map { instance.inputs(seed: seed + 100 * UInt64($0)) }
      for pattern in 0..<(1 << program.inputs.count) {
        let batched = program.inputs.indices.map { pattern >> $0 & 1 == 1 }
        let mapped = program.vmap(batched: batched, size: size)
        try mapped.verify()
        let inputs = batched.enumerated().map { position, isBatched in
          isBatched ? stacked(draws.map { $0[position] }) : draws[0][position]
        }
        let each = try draws.map { draw in
          try interpret(program, batched.enumerated().map { $1 ? draw[$0] : draws[0][$0] })
        }
        let results = try interpret(mapped, inputs)
        for (position, result) in results.enumerated() {
          let expected = stacked(each.map { $0[position] })
          #expect(result.type == expected.type)
          #expect(
            distance(result.doubles, expected.doubles)
              < (result.element == .float32 ? 1e-6 : 1e-13),
            "seed \(seed), batched \(batched)\n\(mapped)")
        }
      }
    }
  }

  /// The Hessian of a scalar with curvature of its own around the row's program.
  @Test(arguments: differentiable.filter { $0.elements[0] == .float64 })
  func secondOrder(_ row: PrimitiveRow) throws {
    for seed in Self.seeds.prefix(3) {
      let instance = row.instance(.float64, seed: seed)
      let (x, moving) = (instance.inputs(seed: seed), instance.floatingInputs)
      let loss = try Program.trace(instance.program.inputTypes) { inputs in
        let outputs = inputs[0].builder.inline(instance.program, inputs)
        let terms = outputs.filter(\.element.isFloating).enumerated().map { index, y in
          ((y * (1 + 0.3 * Double(index))).sin() + 0.25 * y.square()).sum()
        }
        return [terms.dropFirst().reduce(terms[0], +)]
      }
      let gradient = try loss.gradient(withRespectTo: moving)
      let hessian = try loss.hessianProduct(withRespectTo: moving)
      try gradient.verify()
      try hessian.primal.verify()
      try hessian.linear.verify()
      let types = x.selecting(moving).map(\.type)
      let (u, v) = (directions(types, seed: seed + 7), directions(types, seed: seed + 8))
      let (hu, hv) = (try hessian.apply(x, u).numbers, try hessian.apply(x, v).numbers)
      #expect(distance([inner(u.numbers, hv)], [inner(v.numbers, hu)]) < 1e-11)
      let expected = try slope(step: 2e-4) {
        try interpret(gradient, x.moved(moving, by: $0, along: v)).dropFirst().flatMap(\.doubles)
      }
      #expect(distance(hv, expected) < 1e-7, "seed \(seed)\n\(hessian.linear)")
    }
  }
}
