/// A program cut in two: what can be computed from the known inputs alone, and the rest.
public struct PartialEvaluation: Sendable {
  /// Known inputs to known outputs, then residuals.
  public var known: Program
  /// Residuals, then unknown inputs, to unknown outputs.
  public var unknown: Program
  /// For each output of the original, whether `unknown` computes it.
  public var outputIsUnknown: [Bool]
  public var residualTypes: [TensorType]
}

extension Program {
  /// Hoists everything that does not depend on the inputs marked unknown into a program of its own;
  /// what the remainder needs of it crosses over as residuals.
  ///
  /// Repetition and reshaping of a known value are left to the remainder, so that residuals stay small.
  public func partiallyEvaluated(unknown: [Bool]) -> PartialEvaluation {
    partiallyEvaluated(unknown: unknown, forcing: outputs.map { _ in false })
  }

  /// Outputs that are forced are left to the remainder, known or not.
  func partiallyEvaluated(unknown: [Bool], forcing forced: [Bool]) -> PartialEvaluation {
    let (first, second) = (ProgramBuilder(), ProgramBuilder())
    var knownValues = [Traced?](repeating: nil, count: types.count)
    var unknownValues = knownValues
    for (input, isUnknown) in zip(inputs, unknown) where !isUnknown {
      knownValues[input.index] = first.input(type(of: input))
    }
    // The second program's inputs are residuals, which are discovered on the way, then the unknown
    // inputs; they are put in that order at the end.
    var residuals: [(source: Traced, input: Traced)] = []
    var crossed: [Program.Variable: Traced] = [:]
    let unknownInputs = zip(inputs, unknown).filter(\.1).map { input, _ -> Traced in
      let traced = second.input(type(of: input))
      unknownValues[input.index] = traced
      return traced
    }

    func residual(_ source: Traced) -> Traced {
      if let known = crossed[source.variable] { return known }
      let value: Traced
      switch first.definition(of: source.variable) {
      case .some(let equation):
        switch equation.primitive {
        case .constant, .iota:
          value = second.emit(equation.primitive, [])[0]
        case .broadcast, .reshape:
          let inner = residual(Traced(builder: first, variable: equation.operands[0]))
          value = second.emit(equation.primitive, [inner])[0]
        default:
          value = second.input(source.type)
          residuals.append((source, value))
        }
      case .none:
        value = second.input(source.type)
        residuals.append((source, value))
      }
      crossed[source.variable] = value
      return value
    }

    for equation in equations {
      (first.source, second.source) = (equation.source, equation.source)
      if equation.operands.allSatisfy({ knownValues[$0.index] != nil }) {
        let results = first.emit(
          equation.primitive, equation.operands.map { knownValues[$0.index]! })
        for (result, value) in zip(equation.results, results) { knownValues[result.index] = value }
        continue
      }
      if case .call(let body) = equation.primitive {
        let mask = equation.operands.map { knownValues[$0.index] == nil }
        let parts = body.partiallyEvaluated(unknown: mask)
        let knownOperands = equation.operands.compactMap { knownValues[$0.index] }
        let computed = first.emit(.call(parts.known), knownOperands)
        let knownCount = parts.outputIsUnknown.filter { !$0 }.count
        let carried = computed.dropFirst(knownCount).map(residual)
        let rest = equation.operands.compactMap { unknownValues[$0.index] }
        var later =
          parts.outputIsUnknown.contains(true)
          ? second.emit(.call(parts.unknown), carried + rest)[...] : []
        var now = computed[...]
        for (result, isUnknown) in zip(equation.results, parts.outputIsUnknown) {
          if isUnknown {
            unknownValues[result.index] = later.removeFirst()
          } else {
            knownValues[result.index] = now.removeFirst()
          }
        }
        continue
      }
      if case .scan(let scan) = equation.primitive {
        let split = scan.split(unknown: equation.operands.map { knownValues[$0.index] == nil })
        var now = first.emit(
          .scan(split.known),
          split.knownOperands.map { knownValues[equation.operands[$0].index]! })[...]
        let stacks = now
        let operands = split.unknownOperands.map { source in
          switch source {
          case .operand(let index):
            let operand = equation.operands[index]
            return unknownValues[operand.index] ?? residual(knownValues[operand.index]!)
          case .result(let index): return residual(stacks[index])
          }
        }
        var later =
          split.resultIsUnknown.contains(true)
          ? second.emit(.scan(split.unknown), operands)[...] : []
        for (result, isUnknown) in zip(equation.results, split.resultIsUnknown) {
          if isUnknown {
            unknownValues[result.index] = later.removeFirst()
          } else {
            knownValues[result.index] = now.removeFirst()
          }
        }
        continue
      }
      let operands = equation.operands.map { operand in
        unknownValues[operand.index] ?? residual(knownValues[operand.index]!)
      }
      let results = second.emit(equation.primitive, operands)
      for (result, value) in zip(equation.results, results) { unknownValues[result.index] = value }
    }

    let outputIsUnknown = zip(outputs, forced).map { knownValues[$0.index] == nil || $1 }
    let knownOutputs = zip(outputs, outputIsUnknown).filter { !$1 }
      .map { knownValues[$0.0.index]! }
    let unknownOutputs = zip(outputs, outputIsUnknown).filter(\.1)
      .map { unknownValues[$0.0.index] ?? residual(knownValues[$0.0.index]!) }
    return PartialEvaluation(
      known: first.finish(knownOutputs + residuals.map(\.source)),
      unknown: second.finish(unknownOutputs)
        .reorderingInputs(residuals.map(\.input.variable) + unknownInputs.map(\.variable)),
      outputIsUnknown: outputIsUnknown,
      residualTypes: residuals.map(\.source.type))
  }

  /// The same program with its inputs in another order.
  func reorderingInputs(_ order: [Variable]) -> Program {
    Program(types: types, inputs: order, equations: equations, outputs: outputs)
  }
}
