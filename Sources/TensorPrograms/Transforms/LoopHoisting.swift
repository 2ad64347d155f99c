/// Work that need not be done step by step is done before the loop or after it, for all steps at once.
extension Rewriter {
  /// What depends on no carry is computed ahead of the loop, batched over the steps; a carry whose next
  /// value is such is a stacked input, one step late.
  mutating func hoisted(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    let isCarry = scan.body.inputs.indices.map { scan.role($0) == .carry }
    let body = scan.body.gatheringTerms(unknown: isCarry)
    let parts = body.partiallyEvaluated(unknown: isCarry)
    let given = Set(parts.known.inputs)
    let knownCount = parts.outputIsUnknown.filter { !$0 }.count
    let sources = parts.known.outputs.dropFirst(knownCount)
    guard knownCount > 0 || !sources.allSatisfy(given.contains) else { return nil }

    let ahead = parts.known.vmap(
      batched: isCarry.indices.filter { !isCarry[$0] }.map { scan.role($0) == .stacked },
      size: scan.length, forcing: parts.known.outputs.indices.map { $0 < knownCount })
    let values = emit(
      .call(ahead.program), Array(x[scan.operands(.constant)] + x[scan.operands(.stacked)]))
    let residuals = Array(zip(values, ahead.isBatched).dropFirst(knownCount))
    var known = values.prefix(knownCount)[...]

    // The last value of each carry that is known, and all its values as the steps read them.
    var last: [Int: Traced] = [:]
    var late: [Int: Traced] = [:]
    for carry in 0..<scan.carryCount where !parts.outputIsUnknown[carry] {
      let steps = known.removeFirst()
      late[carry] =
        emit([x[scan.constantCount + carry], steps]) {
          [$0[1].delayed(from: $0[0], isReversed: scan.isReversed)]
        }[0]
      last[carry] = emit([steps]) { [$0[0].lastStep(isReversed: scan.isReversed)] }[0]
    }
    typealias Input = (value: Traced, variable: Program.Variable)
    let inputs = parts.unknown.inputs
    let crossing: [(input: Input, isStacked: Bool)] = zip(residuals, inputs).map {
      (($0.0, $1), $0.1)
    }
    let ownInputs = inputs.dropFirst(residuals.count)
    let own = ownInputs.enumerated().map { carry, variable in
      (carry: carry, value: x[scan.constantCount + carry], variable: variable)
    }
    let constants = crossing.filter { !$0.isStacked }.map(\.input)
    let carries: [Input] = own.filter { late[$0.carry] == nil }.map { ($0.value, $0.variable) }
    let stacks: [Input] =
      crossing.filter(\.isStacked).map(\.input)
      + own.compactMap { carry in late[carry.carry].map { ($0, carry.variable) } }
    var results: ArraySlice<Traced> = []
    if parts.outputIsUnknown.contains(true) {
      let read = constants + carries + stacks
      let rest = Scan(
        body: parts.unknown.reorderingInputs(read.map(\.variable)), length: scan.length,
        constantCount: constants.count, carryCount: carries.count, isReversed: scan.isReversed)
      results = emit(.scan(rest), read.map(\.value))[...]
    }
    return parts.outputIsUnknown.enumerated().map { index, isUnknown in
      isUnknown ? results.removeFirst() : last[index] ?? known.removeFirst()
    }
  }

  /// What only outputs of the steps need is computed behind the loop, batched over the steps, where
  /// the loop need not return more for it than before.
  mutating func sunk(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    let body = scan.body
    let definitions = body.definitions
    let needed = body.dependencies(of: Array(body.outputs.prefix(scan.carryCount)))
    let depends = body.dependents(of: Array(body.inputs[scan.operands(.carry)]))
    func isCore(_ variable: Program.Variable) -> Bool {
      definitions[variable.index]?.results.contains { needed[$0.index] } ?? true
    }
    let next = Dictionary(
      uniqueKeysWithValues: zip(body.inputs[scan.operands(.carry)], body.outputs))
    let outputs = body.outputs.indices.dropFirst(scan.carryCount)

    /// What the loop must return for `variable` to be computed behind it.
    func cut(_ variable: Program.Variable) -> Set<Program.Variable> {
      var (found, visited, open) = (Set<Program.Variable>(), Set([variable]), [variable])
      while let variable = open.popLast() {
        if isCore(variable), depends[variable.index] {
          found.insert(variable)
        } else if let equation = definitions[variable.index] {
          open += equation.operands.filter { visited.insert($0).inserted }
        }
      }
      return found
    }
    func size(_ variables: some Sequence<Program.Variable>) -> Int {
      variables.reduce(0) { $0 + body.type(of: $1).shape.count }
    }
    var movable = outputs.filter { !isCore(body.outputs[$0]) }
    var stacked = Set(outputs.filter { isCore(body.outputs[$0]) }.map { body.outputs[$0] })
    var moved: [Int] = []
    func missing(_ output: Int) -> Set<Program.Variable> {
      cut(body.outputs[output]).filter {
        !stacked.contains($0) && !stacked.contains(next[$0] ?? $0)
      }
    }
    // Outputs that one cut serves are moved together.
    while let group = movable.lazy.map({ output -> [Int] in
      let more = missing(output)
      let group = movable.filter { missing($0).isSubset(of: more) }
      return size(more) <= size(group.map { body.outputs[$0] }) ? group : []
    }).first(where: { !$0.isEmpty }) {
      moved += group
      stacked.formUnion(group.flatMap { cut(body.outputs[$0]) })
      movable.removeAll(where: group.contains)
    }
    guard !moved.isEmpty else { return nil }

    let kept = outputs.filter { !moved.contains($0) }
    let computed = Set(moved.flatMap { cut(body.outputs[$0]) }).sorted { $0.index < $1.index }
    let own = kept.map { body.outputs[$0] }
    let returned = own + computed.filter { !own.contains($0) }
    var rest = scan
    rest.body = body.selectingOutputs(Array(body.outputs.prefix(scan.carryCount)) + returned)
    let results = emit(.scan(rest), x)
    let stacks = results.dropFirst(scan.carryCount)

    let constants = body.inputs[scan.operands(.constant)]
    let read = constants + body.inputs[scan.operands(.stacked)]
    let place = Dictionary(zip(returned, stacks), uniquingKeysWith: { first, _ in first })
    let behind = Program(
      types: body.types, inputs: read + computed,
      equations: body.equations.filter { equation in
        !equation.results.contains { computed.contains($0) }
      },
      outputs: moved.map { body.outputs[$0] }
    ).withoutDeadCode()
    let batched = read.indices.map { $0 >= constants.count } + computed.map { _ in true }
    let values = emit(
      .call(behind.vmap(batched: batched, size: scan.length)),
      Array(x[scan.operands(.constant)] + x[scan.operands(.stacked)])
        + computed.map { place[$0]! })
    return Array(results.prefix(scan.carryCount))
      + outputs.map { index in
        moved.firstIndex(of: index).map { values[$0] } ?? place[body.outputs[index]]!
      }
  }

  /// A carry that a step returns as it got it is what the step before returned.
  mutating func delayed(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    let body = scan.body
    let carried = Array(body.inputs[scan.operands(.carry)])
    func source(_ output: Int) -> Int? {
      guard let carry = carried.firstIndex(of: body.outputs[output]),
        !carried.contains(body.outputs[carry])
      else { return nil }
      return carry
    }
    let outputs = body.outputs.indices.dropFirst(scan.carryCount)
    guard outputs.contains(where: { source($0) != nil }) else { return nil }
    var loop = scan
    loop.body = body.selectingOutputs(
      body.outputs.indices.map { index in
        index < scan.carryCount
          ? body.outputs[index] : body.outputs[source(index) ?? index]
      })
    let results = emit(.scan(loop), x)
    return results.enumerated().map { index, value in
      guard index >= scan.carryCount, let carry = source(index) else { return value }
      return emit([x[scan.constantCount + carry], value]) {
        [$0[1].delayed(from: $0[0], isReversed: scan.isReversed)]
      }[0]
    }
  }
}

extension Traced {
  /// A stack of what steps returned, as the steps after them see it: `first`, then all but the last.
  fileprivate func delayed(from first: Traced, isReversed: Bool) -> Traced {
    let start = first.expanded(at: 0)
    return isReversed
      ? Traced.concatenate([slice(axis: 0, 1..<shape[0]), start], axis: 0)
      : Traced.concatenate([start, slice(axis: 0, 0..<(shape[0] - 1))], axis: 0)
  }

  /// The slice that the last step returned.
  fileprivate func lastStep(isReversed: Bool) -> Traced {
    let index = isReversed ? 0 : shape[0] - 1
    return slice(axis: 0, index..<(index + 1)).reshaped(shape.removing([0]))
  }
}
