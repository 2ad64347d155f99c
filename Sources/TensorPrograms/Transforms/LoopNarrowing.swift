extension Scan {
  /// The loop without what only results that nobody reads need, and the positions of the operands and
  /// results that are left.
  func narrowed(to isLive: [Bool]) -> (scan: Scan, operands: [Int], results: [Int]) {
    var results = isLive
    var isRead = [Bool](repeating: false, count: body.inputs.count)
    while true {
      isRead = body.isRead(by: results)
      let wider = results.indices.map { index in
        results[index] || (index < carryCount && isRead[constantCount + index])
      }
      if wider == results { break }
      results = wider
    }
    for index in 0..<carryCount { isRead[constantCount + index] = results[index] }
    let operands = isRead.indices.filter { isRead[$0] }
    let kept = results.indices.filter { results[$0] }
    if operands.count == isRead.count, kept.count == results.count {
      return (self, operands, kept)
    }
    let narrower = Scan(
      body: body.reorderingInputs(operands.map { body.inputs[$0] })
        .selectingOutputs(kept.map { body.outputs[$0] }).withoutDeadCode(),
      length: length, constantCount: operands.filter { role($0) == .constant }.count,
      carryCount: operands.filter { role($0) == .carry }.count, isReversed: isReversed)
    return (narrower, operands, kept)
  }
}

extension Program {
  /// Which inputs the marked outputs depend on.
  fileprivate func isRead(by marked: [Bool]) -> [Bool] {
    let live = dependencies(of: zip(outputs, marked).filter(\.1).map(\.0))
    return inputs.map { live[$0.index] }
  }

  /// Which variables these are computed from, themselves included.
  func dependencies(of variables: [Variable]) -> [Bool] {
    var isLive = [Bool](repeating: false, count: types.count)
    for variable in variables { isLive[variable.index] = true }
    for equation in equations.reversed()
    where equation.results.contains(where: { isLive[$0.index] }) {
      for operand in equation.operands { isLive[operand.index] = true }
    }
    return isLive
  }

  /// Which variables are computed from these, themselves included.
  func dependents(of variables: [Variable]) -> [Bool] {
    var isReached = [Bool](repeating: false, count: types.count)
    for variable in variables { isReached[variable.index] = true }
    for equation in equations where equation.operands.contains(where: { isReached[$0.index] }) {
      for result in equation.results { isReached[result.index] = true }
    }
    return isReached
  }

  /// The equation that makes each variable; nil for an input.
  var definitions: [Equation?] {
    var definitions = [Equation?](repeating: nil, count: types.count)
    for equation in equations {
      for result in equation.results { definitions[result.index] = equation }
    }
    return definitions
  }
}
