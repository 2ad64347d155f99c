/// A loop cut in two: what can be computed from the known operands alone, and the rest, which reads
/// from the first what it needs, stacked by step.
struct SplitScan {
  /// Where an operand of the second loop comes from.
  enum Source {
    case operand(Int)
    /// A result of the first loop.
    case result(Int)
  }

  var known: Scan
  var unknown: Scan
  /// Positions of the first loop's operands among the original's.
  var knownOperands: [Int]
  var unknownOperands: [Source]
  /// For each input of the body, whether it is unknown; a carry is where any step makes it so.
  var unknownInputs: [Bool]
  /// For each result of the original, whether the second loop computes it.
  var resultIsUnknown: [Bool]
}

extension Scan {
  /// The inputs of the body that are unknown if these operands are.
  func unknownInputs(_ operands: [Bool]) -> [Bool] { stepSplit(operands).inputs }

  private func stepSplit(_ unknown: [Bool]) -> (inputs: [Bool], parts: PartialEvaluation) {
    var inputs = unknown
    while true {
      let parts = body.partiallyEvaluated(unknown: inputs)
      let wider = inputs.indices.map { index in
        inputs[index] || (role(index) == .carry && parts.outputIsUnknown[index - constantCount])
      }
      if wider == inputs {
        // A carry that starts unknown is handed on by the second loop, known though its steps be.
        return (inputs, body.partiallyEvaluated(unknown: inputs, forcing: forced(inputs)))
      }
      inputs = wider
    }
  }

  private func forced(_ inputs: [Bool]) -> [Bool] {
    body.outputs.indices.map { $0 < carryCount && inputs[constantCount + $0] }
  }

  /// Residuals that are constants or slices are read where they are; others are stacked.
  func split(unknown mask: [Bool]) -> SplitScan {
    let (inputs, parts) = stepSplit(mask)
    let knownInputs = inputs.indices.filter { !inputs[$0] }
    let knownOutputs = parts.outputIsUnknown.indices.filter { !parts.outputIsUnknown[$0] }
    let position = Dictionary(uniqueKeysWithValues: zip(parts.known.inputs, knownInputs))
    var constants: [(SplitScan.Source, Program.Variable)] = []
    var stacks: [(SplitScan.Source, Program.Variable)] = []
    var computed: [Program.Variable] = []
    for (source, input) in zip(
      parts.known.outputs.dropFirst(knownOutputs.count), parts.unknown.inputs)
    {
      switch position[source].map({ ($0, role($0)) }) {
      case (let index, .constant)?: constants.append((.operand(index), input))
      case (let index, .stacked)?: stacks.append((.operand(index), input))
      case (_, .carry)?, nil:
        stacks.append((.result(knownOutputs.count + computed.count), input))
        computed.append(source)
      }
    }
    let unknownInputs = inputs.indices.filter { inputs[$0] }
    let own = zip(unknownInputs, parts.unknown.inputs.suffix(unknownInputs.count))
    func these(_ wanted: Role) -> [(SplitScan.Source, Program.Variable)] {
      own.filter { role($0.0) == wanted }.map { (.operand($0), $1) }
    }
    let read = constants + these(.constant) + these(.carry) + stacks + these(.stacked)
    return SplitScan(
      known: Scan(
        body: parts.known.selectingOutputs(
          Array(parts.known.outputs.prefix(knownOutputs.count)) + computed),
        length: length, constantCount: knownInputs.filter { role($0) == .constant }.count,
        carryCount: knownInputs.filter { role($0) == .carry }.count, isReversed: isReversed),
      unknown: Scan(
        body: parts.unknown.reorderingInputs(read.map(\.1)), length: length,
        constantCount: constants.count + these(.constant).count,
        carryCount: these(.carry).count, isReversed: isReversed),
      knownOperands: knownInputs, unknownOperands: read.map(\.0), unknownInputs: inputs,
      resultIsUnknown: parts.outputIsUnknown)
  }
}
