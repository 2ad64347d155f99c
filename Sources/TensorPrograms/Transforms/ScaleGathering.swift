extension Program {
  /// Rewrites sums of multiples of unknown values so that each value is multiplied once, by a factor
  /// that is known and that partial evaluation hoists: `((u a) b) + u c + v d` as `u (a b + c) + v d`.
  ///
  /// Second derivatives are full of such sums; each application of the linear program then makes one
  /// pass over the data instead of one per factor, and fewer residuals are kept.
  func gatheringScales(unknown: [Bool]) -> Program {
    .build(inputTypes) { builder, arguments in
      var gathering = ScaleGathering(self, arguments, unknown: unknown, builder: builder)
      for equation in equations { gathering.add(equation) }
      return outputs.map { gathering.value($0) }
    }
  }
}

private struct ScaleGathering {
  /// `base * factor`; without a factor, the base or its negative.
  private struct Term {
    var base: Traced
    var factor: Traced?
    var isNegative = false

    var negated: Term {
      factor.map { Term(base: base, factor: -$0) }
        ?? Term(base: base, isNegative: !isNegative)
    }

    func scaled(by other: Traced) -> Term {
      let signed = isNegative ? -other : other
      return Term(base: base, factor: factor.map { $0 * other } ?? signed)
    }

    /// The factor, with the one or minus one that it stands for spelled out.
    var explicitFactor: Traced {
      factor ?? base.builder.full(isNegative ? -1 : 1, base.type)
    }
  }

  /// An unknown value not yet computed.
  private struct Pending {
    var terms: [Term]
    /// Whether the terms are less work than the equation as it stands.
    var isGathered: Bool
    var equation: Program.Equation
  }

  private let builder: ProgramBuilder
  private let program: Program
  private let readers: [Int]
  private var isUnknown: [Bool]
  private var values: [Traced?]
  private var pending: [Pending?]

  /// Longer sums are computed where they stand.
  private static let mostTerms = 8

  init(_ program: Program, _ arguments: [Traced], unknown: [Bool], builder: ProgramBuilder) {
    self.program = program
    self.builder = builder
    let count = program.types.count
    readers = program.readerCounts
    isUnknown = [Bool](repeating: false, count: count)
    values = [Traced?](repeating: nil, count: count)
    pending = [Pending?](repeating: nil, count: count)
    for (index, input) in program.inputs.enumerated() {
      isUnknown[input.index] = unknown[index]
      values[input.index] = arguments[index]
    }
  }

  mutating func add(_ equation: Program.Equation) {
    let moving = equation.operands.map { isUnknown[$0.index] }
    for result in equation.results { isUnknown[result.index] = moving.contains(true) }
    switch equation.primitive {
    case .binary(.multiply) where moving == [true, false]:
      multiply(equation.operands[0], by: value(equation.operands[1]), equation)
    case .binary(.multiply) where moving == [false, true]:
      multiply(equation.operands[1], by: value(equation.operands[0]), equation)
    case .binary(.divide) where moving == [true, false]:
      multiply(equation.operands[0], by: value(equation.operands[1]).reciprocal(), equation)
    case .unary(.negate)
    where moving == [true] && terms(equation.operands[0]).allSatisfy({ $0.factor != nil }):
      let operand = equation.operands[0]
      pending[equation.results[0].index] = Pending(
        terms: terms(operand).map(\.negated),
        isGathered: pending[operand.index]!.isGathered, equation: equation)
    case .binary(.add) where moving == [true, true]:
      add(terms(equation.operands[0]), terms(equation.operands[1]), equation)
    case .binary(.subtract) where moving == [true, true]:
      add(
        terms(equation.operands[0]), terms(equation.operands[1]).map(\.negated), equation)
    case .scan(var scan):
      scan.body = scan.body.gatheringScales(unknown: scan.unknownInputs(moving))
      emit(.scan(scan), equation)
    default:
      emit(equation.primitive, equation)
    }
  }

  private mutating func emit(_ primitive: Primitive, _ equation: Program.Equation) {
    let operands = equation.operands.map { value($0) }
    builder.source = equation.source
    let results = builder.emit(primitive, operands)
    for (result, value) in zip(equation.results, results) { values[result.index] = value }
  }

  /// The terms that an operand contributes to its reader: its own ones where that repeats no work.
  private mutating func terms(_ variable: Program.Variable) -> [Term] {
    if let known = pending[variable.index],
      known.terms.count == 1 || readers[variable.index] == 1
    {
      return known.terms
    }
    return [Term(base: value(variable))]
  }

  private mutating func multiply(
    _ operand: Program.Variable, by factor: Traced, _ equation: Program.Equation
  ) {
    var inner = terms(operand)
    if inner.count > 1, inner.contains(where: { $0.factor == nil }) {
      inner = [Term(base: value(operand))]
    }
    pending[equation.results[0].index] = Pending(
      terms: inner.map { $0.scaled(by: factor) }, isGathered: true, equation: equation)
  }

  private mutating func add(_ left: [Term], _ right: [Term], _ equation: Program.Equation) {
    var sum = left
    for term in right {
      guard let index = sum.firstIndex(where: { $0.base.variable == term.base.variable }) else {
        sum.append(term)
        continue
      }
      sum[index] = Term(
        base: term.base, factor: sum[index].explicitFactor + term.explicitFactor)
    }
    let isMerged = sum.count < left.count + right.count
    // Plain sums stay as they are: executors have patterns for those of products.
    guard sum.count <= Self.mostTerms, isMerged || sum.contains(where: { $0.factor != nil }) else {
      return emit(equation.primitive, equation)
    }
    let isInlined = zip([left, right], equation.operands).contains { terms, operand in
      terms.count > 1 && pending[operand.index]!.isGathered
    }
    pending[equation.results[0].index] = Pending(
      terms: sum, isGathered: isMerged || isInlined, equation: equation)
  }

  /// The value of a variable of the program, computed now if need be.
  mutating func value(_ variable: Program.Variable) -> Traced {
    if let value = values[variable.index] { return value }
    let known = pending[variable.index]!
    if known.isGathered {
      builder.source = known.equation.source
      values[variable.index] = total(known.terms)
    } else {
      emit(known.equation.primitive, known.equation)
    }
    return values[variable.index]!
  }

  private func total(_ terms: [Term]) -> Traced {
    let ordered = terms.filter { !$0.isNegative } + terms.filter(\.isNegative)
    func product(_ term: Term) -> Traced { term.factor.map { term.base * $0 } ?? term.base }
    let first = product(ordered[0])
    return ordered.dropFirst().reduce(ordered[0].isNegative ? -first : first) { sum, term in
      term.isNegative ? sum - term.base : sum + product(term)
    }
  }
}
