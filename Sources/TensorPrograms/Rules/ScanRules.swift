/// The derivatives and the batching of a loop, each a loop whose body is the body's.
extension Scan {
  /// The results and their tangents (nil: zero), for operands with their tangents: one loop carries
  /// both. A carry moves if its start does or if a step makes it move.
  func jvp(_ x: [Traced], _ t: [Traced?]) -> (results: [Traced], tangents: [Traced?]) {
    var moving = t.map { $0 != nil }
    var step: (program: Program, moves: [Bool])
    while true {
      let forced = body.outputs.indices.map { $0 < carryCount && moving[constantCount + $0] }
      step = body.jvp(
        withRespectTo: moving.indices.filter { moving[$0] }, forcing: forced)
      let wider = zip(moving, moving.indices).map { mark, index in
        mark || (role(index) == .carry && step.moves[index - constantCount])
      }
      if wider == moving { break }
      moving = wider
    }
    let joint = step.program
    let movingInputs = moving.indices.filter { moving[$0] }
    let tangentInput = Dictionary(
      uniqueKeysWithValues: zip(movingInputs, joint.inputs.dropFirst(x.count)))
    let movingOutputs = step.moves.indices.filter { step.moves[$0] }
    let tangentOutput = Dictionary(
      uniqueKeysWithValues: zip(movingOutputs, joint.outputs.dropFirst(body.outputs.count)))

    /// Each run of positions with its tangents behind it.
    func interleaved<T>(_ runs: [Range<Int>], _ plain: (Int) -> T, _ moved: (Int) -> T?) -> [T] {
      runs.flatMap { $0.map(plain) + $0.compactMap(moved) }
    }
    let runs = [operands(.constant), operands(.carry), operands(.stacked)]
    let resultRuns = [0..<carryCount, carryCount..<body.outputs.count]
    let loop = Scan(
      body: joint.reorderingInputs(interleaved(runs, { joint.inputs[$0] }, { tangentInput[$0] }))
        .selectingOutputs(
          interleaved(resultRuns, { joint.outputs[$0] }, { tangentOutput[$0] })),
      length: length,
      constantCount: constantCount + runs[0].filter { moving[$0] }.count,
      carryCount: carryCount + runs[1].filter { moving[$0] }.count, isReversed: isReversed)
    let arguments = interleaved(runs, { x[$0] }, { moving[$0] ? t[$0] ?? x[$0].zeros() : nil })
    var values = x.builder.emit(.scan(loop), arguments)[...]
    var (results, tangents): ([Traced], [Traced?]) = ([], [])
    for run in resultRuns {
      results += run.map { _ in values.removeFirst() }
      tangents += run.map { step.moves[$0] ? values.removeFirst() : nil }
    }
    return (results, tangents)
  }

  /// The loop over a batch: all its results are batched.
  func batch(_ x: [Batched], size: Int) -> [Batched] {
    var batched = x.map(\.isBatched)
    var step: (program: Program, isBatched: [Bool])
    while true {
      let forced = body.outputs.indices.map { $0 < carryCount && batched[constantCount + $0] }
      step = body.vmap(batched: batched, size: size, forcing: forced)
      let wider = batched.indices.map { index in
        batched[index] || (role(index) == .carry && step.isBatched[index - constantCount])
      }
      if wider == batched { break }
      batched = wider
    }
    var loop = self
    loop.body = step.program
    let arguments = x.indices.map { index -> Traced in
      switch role(index) {
      case .constant: x[index].value
      case .carry: batched[index] ? x[index].batched(size) : x[index].value
      case .stacked: batched[index] ? x[index].value.exchangingLeadingAxes : x[index].value
      }
    }
    let results = x[0].value.builder.emit(.scan(loop), arguments)
    return results.enumerated().map { index, value in
      guard step.isBatched[index] else { return Batched(value: value, isBatched: false) }
      return Batched(
        value: index < carryCount ? value : value.exchangingLeadingAxes, isBatched: true)
    }
  }

  /// The cotangents of the linear operands: a loop that runs the other way, carries the cotangents of
  /// the carries and adds up those of linear constants.
  func transpose(_ x: [TransposeOperand], _ cotangents: [Traced?]) -> [Traced?] {
    let builder = cotangents.compactMap { $0 }[0].builder
    let split = split(unknown: x.map { $0.value == nil })
    guard split.unknownInputs[operands(.carry)].allSatisfy({ $0 }),
      split.resultIsUnknown.allSatisfy({ $0 })
    else {
      // What does not depend on a linear operand is computed by a forward loop of its own.
      let known = builder.emit(
        .scan(split.known), split.knownOperands.map { x[$0].value! })
      let seeds = zip(cotangents, split.resultIsUnknown).filter(\.1).map(\.0)
      guard seeds.contains(where: { $0 != nil }) else { return x.map { _ in nil } }
      let sources = split.unknownOperands
      let inner = split.unknown.transpose(
        sources.map { source in
          switch source {
          case .operand(let index): x[index]
          case .result(let index): .known(known[index])
          }
        }, seeds)
      var found = [Traced?](repeating: nil, count: x.count)
      for case (.operand(let index), let cotangent?) in zip(sources, inner) {
        found[index] = cotangent
      }
      return found
    }

    let linear = split.unknownInputs
    let seeded = (carryCount..<body.outputs.count).filter { cotangents[$0] != nil }
    let chosen = Array(0..<carryCount) + seeded
    let step = body.selectingOutputs(chosen.map { body.outputs[$0] })
      .transposed(linear: linear)
    let constants = operands(.constant)
    let stacks = operands(.stacked)
    let (p, s) = (constants.filter { !linear[$0] }, stacks.filter { !linear[$0] })
    let (sums, slices) = (constants.filter { linear[$0] }, stacks.filter { linear[$0] })
    let type = { (index: Int) in body.inputTypes[index] }
    let carried = sums.map(type) + operands(.carry).map(type)
    let inputTypes =
      p.map(type) + carried + s.map(type) + seeded.map { body.outputTypes[$0] }
    let reverse = Program.build(inputTypes) { arguments in
      let totals = arguments[p.count...].prefix(sums.count)
      let seeds = arguments[(p.count + sums.count)...].prefix(carryCount)
      let slices = arguments[(p.count + carried.count)...].prefix(s.count)
      let results = arguments.builder.inline(
        step, Array(arguments.prefix(p.count) + slices + seeds + arguments.suffix(seeded.count)))
      return zip(totals, results).map { $0 + $1 } + results.dropFirst(sums.count)
    }
    let loop = Scan(
      body: reverse, length: length, constantCount: p.count, carryCount: carried.count,
      isReversed: !isReversed)
    let start =
      sums.map { builder.full(0, type($0)) }
      + zip(operands(.carry), cotangents).map { $1 ?? builder.full(0, type($0)) }
    let results = builder.emit(
      .scan(loop),
      p.map { x[$0].value! } + start + s.map { x[$0].value! } + seeded.map { cotangents[$0]! })
    var found = [Traced?](repeating: nil, count: x.count)
    for (index, result) in zip(sums + operands(.carry) + slices, results)
    where x[index].value == nil {
      found[index] = result
    }
    return found
  }
}

extension Traced {
  fileprivate var exchangingLeadingAxes: Traced { transposed([1, 0] + Array(2..<rank)) }
}
