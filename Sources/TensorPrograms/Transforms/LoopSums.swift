/// What a loop only adds up is summed behind it: a sum of products, such as a weight's gradient, is then
/// one product that contracts the steps too.
extension Rewriter {
  /// Terms other than products are stacked and summed behind the loop up to this many elements.
  private static let stackedSumLimit = 4096

  mutating func summedOutside(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    let body = scan.body
    let steps = LoopSums(scan)
    let candidates = (0..<scan.carryCount).compactMap { carry in
      steps.terms(of: carry).map { (carry: carry, terms: $0) }
    }
    // What is stacked anyway may as well be summed by its own.
    var stacked = Set(body.outputs.dropFirst(scan.carryCount))
    for term in candidates.flatMap(\.terms) {
      if let sum = steps.productSum(of: term.variable) { stacked.formUnion(sum.stacks) }
    }
    var sums: [CarrySum] = []
    for candidate in candidates {
      var found = CarrySum(carry: candidate.carry, terms: [])
      for term in candidate.terms {
        if let sum = steps.sum(
          of: term.variable, stacked: stacked, limit: Self.stackedSumLimit)
        {
          found.terms.append((term.isNegative, sum))
        }
      }
      if found.terms.count == candidate.terms.count { sums.append(found) }
    }
    guard !sums.isEmpty else { return nil }

    func distinct(_ variables: [Program.Variable]) -> [Program.Variable] {
      Set(variables).sorted { $0.index < $1.index }
    }
    let terms = sums.flatMap(\.terms)
    let stacks = distinct(terms.flatMap { $0.sum.stacks })
    let fixed = distinct(terms.flatMap { $0.sum.fixed })
    let carries = (0..<scan.carryCount).filter { carry in !sums.contains { $0.carry == carry } }
    let read = body.inputs.indices.filter { index in
      scan.role(index) != .carry || carries.contains(index - scan.constantCount)
    }
    let own = Array(body.outputs.dropFirst(scan.carryCount))
    let rest = Scan(
      body: body.reorderingInputs(read.map { body.inputs[$0] })
        .selectingOutputs(carries.map { body.outputs[$0] } + own + stacks).withoutDeadCode(),
      length: scan.length, constantCount: scan.constantCount, carryCount: carries.count,
      isReversed: scan.isReversed)
    let results = emit(.scan(rest), read.map { x[$0] })
    let outside = Program(
      types: body.types, inputs: Array(body.inputs[scan.operands(.constant)]),
      equations: body.equations, outputs: fixed
    ).withoutDeadCode()
    let known = emit(.call(outside), Array(x[scan.operands(.constant)]))
    let values = Dictionary(
      uniqueKeysWithValues: zip(
        stacks + fixed, results.dropFirst(carries.count + own.count) + known))
    return (0..<scan.carryCount).map { carry -> Traced in
      if let place = carries.firstIndex(of: carry) { return results[place] }
      let terms = sums.first { $0.carry == carry }!.terms
      return terms.reduce(x[scan.constantCount + carry]) { total, term in
        let read = distinct(term.sum.stacks + term.sum.fixed)
        return emit([total] + read.map { values[$0]! }) { arguments in
          let given = Dictionary(uniqueKeysWithValues: zip(read, arguments.dropFirst()))
          let value = term.sum.value { given[$0]! }
          return [term.isNegative ? arguments[0] - value : arguments[0] + value]
        }[0]
      }
    } + results[carries.count..<(carries.count + own.count)]
  }
}

/// A carry as the sum of its start and of the terms.
private struct CarrySum {
  var carry: Int
  var terms: [(isNegative: Bool, sum: StepSum)]
}

/// The sum over all steps of a variable of the body, from stacks of others.
private indirect enum StepSum {
  case stack(Program.Variable)
  /// `reduceSum` over the axes of what is stacked.
  case reduced(Program.Variable, [Int])
  case dot(DotDimensions, Program.Variable, Program.Variable)
  /// A primitive that is linear in its operand, of a sum.
  case linear(Primitive, StepSum)
  /// A bilinear primitive of a sum and a value that is the same in each step, which may come first.
  case bilinear(Primitive, StepSum, fixed: Program.Variable, isFirst: Bool)

  var stacks: [Program.Variable] {
    switch self {
    case .stack(let variable), .reduced(let variable, _): [variable]
    case .dot(_, let left, let right): [left, right]
    case .linear(_, let sum), .bilinear(_, let sum, _, _): sum.stacks
    }
  }

  var fixed: [Program.Variable] {
    switch self {
    case .stack, .reduced, .dot: []
    case .linear(_, let sum): sum.fixed
    case .bilinear(_, let sum, let fixed, _): [fixed] + sum.fixed
    }
  }

  func value(_ given: (Program.Variable) -> Traced) -> Traced {
    func next(_ axes: [Int]) -> [Int] { axes.map { $0 + 1 } }
    switch self {
    case .stack(let variable): return given(variable).sum([0])
    case .reduced(let variable, let axes): return given(variable).sum([0] + next(axes))
    case .dot(let dimensions, let left, let right):
      return given(left).dot(
        given(right),
        DotDimensions(
          contracting: [0] + next(dimensions.leftContracting),
          [0] + next(dimensions.rightContracting), batch: next(dimensions.leftBatch),
          next(dimensions.rightBatch)))
    case .linear(let primitive, let sum): return sum.value(given).emit(primitive)
    case .bilinear(let primitive, let sum, let fixed, let isFirst):
      let (a, b) = (sum.value(given), given(fixed))
      return isFirst ? b.emit(primitive, a) : a.emit(primitive, b)
    }
  }
}

/// What the carries of a loop add up.
private struct LoopSums {
  private let scan: Scan
  private let definitions: [Program.Equation?]
  private let readerCounts: [Int]
  /// Whether a variable may differ from step to step.
  private let varies: [Bool]

  init(_ scan: Scan) {
    self.scan = scan
    let body = scan.body
    definitions = body.definitions
    readerCounts = body.readerCounts
    varies = body.dependents(of: Array(body.inputs.dropFirst(scan.constantCount)))
  }

  /// The terms that each step adds to a carry, or nil if the carry is anything but their sum or if
  /// anything else reads it.
  func terms(of carry: Int) -> [(isNegative: Bool, variable: Program.Variable)]? {
    let start = scan.body.inputs[scan.constantCount + carry]
    var terms: [(Bool, Program.Variable)] = []
    var isFound = false
    let end = scan.body.outputs[carry]
    guard scan.body.type(of: start).element.isFloating, readerCounts[start.index] == 1,
      readerCounts[end.index] == 1
    else { return nil }
    var open = [(variable: end, isNegative: false)]
    while let (variable, isNegative) = open.popLast() {
      if variable == start {
        if !isNegative { isFound = true }
        continue
      }
      let equation = definitions[variable.index]
      switch equation?.primitive {
      case .binary(.add)? where readerCounts[variable.index] == 1:
        open.append((equation!.operands[1], isNegative))
        open.append((equation!.operands[0], isNegative))
      case .binary(.subtract)? where readerCounts[variable.index] == 1:
        open.append((equation!.operands[1], !isNegative))
        open.append((equation!.operands[0], isNegative))
      default:
        terms.append((isNegative, variable))
      }
    }
    return isFound && !terms.isEmpty ? terms : nil
  }

  func sum(
    of variable: Program.Variable, stacked: Set<Program.Variable>, limit: Int
  ) -> StepSum? {
    if let sum = productSum(of: variable) { return sum }
    guard varies[variable.index] else { return nil }
    if let equation = definitions[variable.index], case .reduceSum(let axes) = equation.primitive,
      stacked.contains(equation.operands[0])
    {
      return .reduced(equation.operands[0], axes)
    }
    return scan.body.type(of: variable).shape.count <= limit ? .stack(variable) : nil
  }

  /// The sum of a product of two values that vary, or of a linear function of one.
  func productSum(of variable: Program.Variable) -> StepSum? {
    guard varies[variable.index], let equation = definitions[variable.index] else { return nil }
    switch equation.primitive {
    case .dot(let dimensions):
      let (left, right) = (equation.operands[0], equation.operands[1])
      if varies[left.index], varies[right.index] { return .dot(dimensions, left, right) }
      return bilinear(equation)
    case .binary(.multiply):
      return bilinear(equation)
    case .transpose, .reshape, .unary(.negate), .reduceSum, .broadcast, .pad(_, _, _, 0):
      return productSum(of: equation.operands[0]).map { .linear(equation.primitive, $0) }
    default:
      return nil
    }
  }

  private func bilinear(_ equation: Program.Equation) -> StepSum? {
    let (left, right) = (equation.operands[0], equation.operands[1])
    if varies[left.index], varies[right.index] { return nil }
    let (moving, fixed) = varies[left.index] ? (left, right) : (right, left)
    return productSum(of: moving).map {
      .bilinear(equation.primitive, $0, fixed: fixed, isFirst: fixed == left)
    }
  }
}
