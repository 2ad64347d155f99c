import TensorPrograms

extension OperatorCatalogue {
  /// Branches that are chosen when the model is read, and loops whose length is known then.
  static let control: [OperatorRule] = [
    OperatorRule("If", constants: [0]) { node in
      let condition = try node.constant(0)
      guard condition.shape.count == 1 else {
        throw node.fail("its condition must be one truth value, not \(condition.type)")
      }
      let isThen = condition.scalarValue != 0
      node.importer.options.record?.took(
        .init(node: node.label, condition: node.node.input.first ?? "", isThen: isThen))
      return try node.subgraph(isThen ? "then_branch" : "else_branch", [])
    },
    OperatorRule("Loop", constants: [0, 1]) { node in
      let start = try node.optionalConstant(1)
      guard start?.shape.count ?? 1 == 1 else {
        throw node.fail("its condition must be one truth value, not \(start!.type)")
      }
      let carries = try (2..<max(2, node.inputCount)).map(node.input)
      // Without a limit, or with one as good as none, its condition ends it.
      let stated = try node.optionalIntegers(0)?.first
      let limit = stated.flatMap { $0 <= node.foldingLimit ? $0 : nil }
      let count =
        start.map { $0.scalarValue != 0 } ?? true
        ? max(0, limit ?? node.importer.options.limits.nodes) : 0
      let whole = node.builder.constant(Tensor([true], shape: []))
      func step(
        _ run: ([Traced]) throws -> [Traced], _ counter: Traced, _ condition: Traced,
        _ carries: [Traced]
      ) throws -> (goesOn: Bool, carries: [Traced], outputs: [Traced]) {
        let results = try run([counter, condition] + carries)
        guard results.count > carries.count, let last = results.first,
          let goesOn = last.builder.constantValue(of: last), goesOn.shape.count == 1
        else {
          throw node.fail("whether it goes on must be known when the model is read")
        }
        return (
          goesOn.scalarValue != 0, Array(results.dropFirst().prefix(carries.count)),
          Array(results.dropFirst(1 + carries.count))
        )
      }
      func note(_ steps: Int) {
        let count = node.node.input.first { !$0.isEmpty } ?? ""
        node.importer.options.record?.took(
          .init(node: node.label, count: count, steps: steps, limit: limit))
      }
      if limit != nil, count > unrolled(node) {
        let counter = node.builder.constant(Tensor([Int64(0)], shape: []))
        let loop = try? node.scan("body", carries: [counter] + carries, stacked: [], count) {
          run, carries, _ in
          let whole = carries[0].builder.constant(Tensor([true], shape: []))
          let result = try step(run, carries[0], whole, Array(carries.dropFirst()))
          guard result.goesOn else { throw node.fail("it ends early") }
          return ([carries[0] + 1] + result.carries, result.outputs)
        }
        if loop != nil { note(count) }
        if let loop { return loop.carries.dropFirst() + loop.outputs }
      }
      var (values, stacks): ([Traced], [[Traced]]) = (carries, [])
      try requireShort(count, node)
      for index in 0..<count {
        let counter = node.builder.constant(Tensor([Int64(index)], shape: []))
        let result = try step({ try node.subgraph("body", $0) }, counter, whole, values)
        values = result.carries
        stacks.append(result.outputs)
        guard result.goesOn else { break }
        guard limit != nil || index < count - 1 else {
          throw node.fail("its condition still holds after \(count) steps")
        }
      }
      note(stacks.count)
      return values + (try stacked(stacks, carries: carries.count, node))
    },
    OperatorRule("Scan") { node in
      let stackCount = node.int("num_scan_inputs", 0)
      guard stackCount >= 1, stackCount <= node.inputCount else {
        throw node.fail("it scans \(stackCount) of its \(node.inputCount) inputs")
      }
      let inputs = try node.allInputs()
      let carries = Array(inputs.dropLast(stackCount))
      let (axes, directions) = (node.ints("scan_input_axes"), node.ints("scan_input_directions"))
      let stacks = try inputs.suffix(stackCount).enumerated().map { index, value in
        let axis = try node.axis(
          axes.map { index < $0.count ? $0[index] : 0 } ?? 0, rank: value.rank)
        let front = value.movingAxis(axis, to: 0)
        return directions.map { index < $0.count && $0[index] == 1 } ?? false
          ? front.reversed(axes: [0]) : front
      }
      let count = stacks[0].shape[0]
      guard stacks.allSatisfy({ $0.shape[0] == count }) else {
        throw node.fail("what it scans differs in length: \(stacks.map { $0.shape[0] })")
      }
      let carryCount = carries.count
      func step(
        _ run: ([Traced]) throws -> [Traced], _ carries: [Traced], _ slices: [Traced]
      ) throws -> (carries: [Traced], outputs: [Traced]) {
        let results = try run(carries + slices)
        guard results.count >= carryCount else { throw node.fail("its body lacks outputs") }
        return (Array(results.prefix(carryCount)), Array(results.dropFirst(carryCount)))
      }
      var loop: (carries: [Traced], outputs: [Traced])?
      if count > unrolled(node) {
        loop = try? node.scan("body", carries: carries, stacked: stacks, count, step)
      }
      if loop == nil {
        var (values, outputs): ([Traced], [[Traced]]) = (carries, [])
        try requireShort(count, node)
        for index in 0..<count {
          let slices = stacks.map {
            $0.slice(axis: 0, index..<(index + 1)).reshaped($0.shape.removing([0]))
          }
          let result = try step({ try node.subgraph("body", $0) }, values, slices)
          values = result.carries
          outputs.append(result.outputs)
        }
        loop = (values, try stacked(outputs, carries: carryCount, node))
      }
      let (outAxes, outDirections) = (
        node.ints("scan_output_axes"), node.ints("scan_output_directions")
      )
      let outputs = try loop!.outputs.enumerated().map { index, value in
        let axis = try node.axis(
          outAxes.map { index < $0.count ? $0[index] : 0 } ?? 0, rank: value.rank)
        let isReversed = outDirections.map { index < $0.count && $0[index] == 1 } ?? false
        return (isReversed ? value.reversed(axes: [0]) : value).movingAxis(0, to: axis)
      }
      return loop!.carries + outputs
    },
  ]

  /// Loops of more steps than this stay loops, where their values keep their types: few, unless all
  /// that goes in is known, so that it can be computed now.
  private static func unrolled(_ node: NodeContext) -> Int {
    let isKnown = node.values.allSatisfy {
      $0.map { node.builder.constantValue(of: $0) != nil } ?? true
    }
    return isKnown ? 1000 : 2
  }

  private static func requireShort(_ count: Int, _ node: NodeContext) throws {
    guard count <= node.importer.options.limits.nodes else {
      throw node.fail("\(count) steps are too many to take one by one")
    }
  }

  /// The outputs of all steps, along a new axis 0.
  private static func stacked(
    _ steps: [[Traced]], carries: Int, _ node: NodeContext
  ) throws -> [Traced] {
    guard let first = steps.first else {
      guard node.outputCount <= carries else {
        throw node.fail("it takes no step, so that its stacked outputs have no type")
      }
      return []
    }
    guard steps.allSatisfy({ $0.map(\.type) == first.map(\.type) }) else {
      throw node.fail("the outputs of its steps differ in shape")
    }
    return first.indices.map { index in
      .concatenate(steps.map { $0[index].expanded(at: 0) }, axis: 0)
    }
  }
}
