import LinearMaps
import TensorPrograms

extension Objective {
  /// Training steps between two copies of parameters and optimizer state, prepared once.
  ///
  /// - Parameters:
  ///   - memory: two blocks, each the flat parameters, then the flat state slots.
  ///   - scalars: rate and step, read; loss and squared gradient norm before the step, written.
  /// - Returns: the run that reads block 0 and writes block 1, the one that goes back, and the
  ///   operations and equations of one step.
  package func preparedSteps(
    stateCount: Int, memory: [UnsafeMutablePointer<Scalar>], scalars: UnsafeMutablePointer<Scalar>,
    update: (
      _ parameter: Traced, _ gradient: Traced, _ state: [Traced], _ rate: Traced, _ step: Traced
    ) -> (parameter: Traced, state: [Traced])
  ) throws -> (runs: [any PreparedRun], operations: Double, equations: Int) {
    let types = layout.types
    let scalar = TensorType(Scalar.element, .scalar)
    let stateTypes = (0..<stateCount).flatMap { _ in types }

    /// Updates from traced parameters, state (slot by slot), rate and step, and gradients.
    func updated(
      _ parameters: [Traced], _ state: [Traced], _ rate: Traced, _ step: Traced,
      _ gradients: [Traced]
    ) -> [Traced] {
      var moved: [Traced] = []
      var slots = [[Traced]](repeating: [], count: stateCount)
      for (index, parameter) in parameters.enumerated() {
        let own = (0..<stateCount).map { state[$0 * types.count + index] }
        let result = update(parameter, gradients[index], own, rate, step)
        moved.append(result.parameter)
        for (slot, value) in result.state.enumerated() { slots[slot].append(value) }
      }
      return moved + slots.flatMap { $0 }
    }
    func squaredNorm(_ gradients: [Traced]) -> Traced {
      gradients.dropFirst().reduce(gradients[0].square().sum()) { $0 + $1.square().sum() }
    }
    func blocks(_ block: Int) -> [TensorView] {
      (0...stateCount).flatMap { layout.views(memory[block] + $0 * layout.count) }
    }
    let control = [TensorView(scalars, type: scalar), TensorView(scalars + 1, type: scalar)]
    let report = [TensorView(scalars + 2, type: scalar), TensorView(scalars + 3, type: scalar)]

    if batchCount == 1 {
      let gradient = try gradientProgram(batch: 0)
      let program = try Program.trace(
        types + stateTypes + [scalar, scalar] + gradient.inputTypes.dropFirst(types.count)
      ) { arguments in
        let parameters = Array(arguments.prefix(types.count))
        let state = Array(arguments.dropFirst(types.count).prefix(stateTypes.count))
        let rest = Array(arguments.dropFirst(types.count + stateTypes.count))
        let values = rest[0].builder.inline(gradient, parameters + rest.dropFirst(2))
        let gradients = Array(values.dropFirst())
        return [values[0], squaredNorm(gradients)]
          + updated(parameters, state, rest[0], rest[1], gradients)
      }.simplified()
      // What depends on the data alone is computed once for all steps.
      let dataCount = gradient.inputs.count - types.count
      let parts = program.partiallyEvaluated(
        unknown: program.inputs.indices.map { $0 < program.inputs.count - dataCount })
      // An output that the data alone decide, as the gradient of a linear loss, is left in place.
      let hoists = parts.outputIsUnknown.allSatisfy { $0 }
      let step = hoists ? parts.unknown.simplified() : program
      let hoisted =
        hoists && !parts.residualTypes.isEmpty
        ? try executor.compile(parts.known.simplified()).run(
          keptData(batch: 0), into: parts.residualTypes.map { _ in .resident }) : []
      let executable = try executor.compile(step)
      let runs = try (0..<2).map { block in
        try executable.prepare(
          hoisted + (blocks(block) + control).arguments + (hoists ? [] : keptData(batch: 0)),
          into: report + blocks(1 - block))
      }
      return (runs, step.operationCount, step.equations.count)
    }

    let program = try Program.trace(types + stateTypes + [scalar, scalar] + types) { arguments in
      let parameters = Array(arguments.prefix(types.count))
      let state = Array(arguments.dropFirst(types.count).prefix(stateTypes.count))
      let rest = Array(arguments.dropFirst(types.count + stateTypes.count))
      let gradients = Array(rest.dropFirst(2))
      return [squaredNorm(gradients)] + updated(parameters, state, rest[0], rest[1], gradients)
    }.simplified()
    let executable = try executor.compile(program)
    let runs = (0..<2).map { block in
      AccumulatedStep { [self] in
        var gradient = [Scalar](repeating: 0, count: layout.count)
        try gradient.withUnsafeMutableBufferPointer { flat in
          scalars[2] = Scalar(
            try valueAndGradient(at: memory[block], into: flat.baseAddress!))
          _ = try executable.run(
            (blocks(block) + control + layout.views(UnsafePointer(flat.baseAddress!))).arguments,
            into: ([report[1]] + blocks(1 - block)).destinations)
        }
      }
    }
    return (runs, program.operationCount, program.equations.count)
  }
}

/// A step whose gradient is summed over micro-batches.
private final class AccumulatedStep: PreparedRun {
  private let body: () throws -> Void

  init(_ body: @escaping () throws -> Void) { self.body = body }

  func run() throws { try body() }
}
