/// A program linearised at a point: the point's values once, then a linear program to apply many times.
public struct Linearization: Sendable {
  /// The original inputs to the original outputs, then residuals.
  public var primal: Program
  /// Residuals, then a tangent per differentiated input, to `J t` of the chosen outputs.
  public var linear: Program
  public var residualTypes: [TensorType]

  public init(primal: Program, linear: Program, residualTypes: [TensorType]) {
    self.primal = primal
    self.linear = linear
    self.residualTypes = residualTypes
  }

  /// Cotangents of the chosen outputs to `J' c`: residuals, then cotangents, to one result per
  /// differentiated input.
  public var transposed: Program {
    let tangents = linear.inputs.count - residualTypes.count
    return linear.transposed(
      linear: residualTypes.map { _ in false } + [Bool](repeating: true, count: tangents)
    ).simplified()
  }
}

extension Program {
  /// Splits the directional derivative into what depends on the direction and what does not.
  ///
  /// - Parameters:
  ///   - indices: positions of the floating-point inputs to differentiate.
  ///   - chosen: positions of the floating-point outputs whose derivative is wanted; all by default.
  public func linearized(withRespectTo indices: [Int], of chosen: [Int]? = nil) -> Linearization {
    let floating = outputs.indices.filter { outputTypes[$0].element.isFloating }
    let chosen = chosen ?? floating
    let joint = jvp(withRespectTo: indices)
    let tangentOutputs = chosen.map { joint.outputs[outputs.count + floating.firstIndex(of: $0)!] }
    let kept = joint.selectingOutputs(Array(joint.outputs.prefix(outputs.count)) + tangentOutputs)
    let unknown = inputs.map { _ in false } + indices.map { _ in true }
    let parts = kept.simplified().gatheringScales(unknown: unknown).simplified()
      .partiallyEvaluated(unknown: unknown)

    // An output whose tangent is zero for every direction is known: it belongs to the linear program
    // all the same.
    let knownCount = parts.outputIsUnknown.filter { !$0 }.count
    let primalOutputs =
      Array(parts.known.outputs.prefix(outputs.count))
      + parts.known.outputs.dropFirst(knownCount)
    let isMoving = parts.outputIsUnknown.dropFirst(outputs.count)
    let linear: Program
    if isMoving.allSatisfy({ $0 }) {
      linear = parts.unknown
    } else {
      linear = .build(parts.unknown.inputTypes) { arguments in
        var moving = arguments.builder.inline(parts.unknown, arguments)[...]
        return zip(chosen, isMoving).map { output, moves in
          moves ? moving.removeFirst() : arguments.builder.full(0, outputTypes[output])
        }
      }
    }
    return Linearization(
      primal: parts.known.selectingOutputs(primalOutputs), linear: linear,
      residualTypes: parts.residualTypes
    ).simplified()
  }

  /// The program with other variables of its as outputs.
  func selectingOutputs(_ outputs: [Variable]) -> Program {
    Program(types: types, inputs: inputs, equations: equations, outputs: outputs)
  }
}

extension Linearization {
  /// Simplifies both parts and drops residuals that the linear program does not use or gets twice.
  fileprivate func simplified() -> Linearization {
    let linear = self.linear.simplified()
    let primal = self.primal.simplified()
    let count = residualTypes.count
    let outputCount = primal.outputs.count - count
    let used = Set(linear.equations.flatMap(\.operands) + linear.outputs)
    var kept: [Int] = []
    var position: [Program.Variable: Int] = [:]
    var alias: [Int: Int] = [:]
    for index in 0..<count where used.contains(linear.inputs[index]) {
      let source = primal.outputs[outputCount + index]
      if let earlier = position[source] {
        alias[index] = earlier
      } else {
        position[source] = kept.count
        kept.append(index)
      }
    }
    let types = kept.map { residualTypes[$0] }
    let tangentTypes = Array(linear.inputTypes.dropFirst(count))
    let narrowed = Program.build(types + tangentTypes) { arguments in
      var slot = [Int?](repeating: nil, count: count)
      for (new, old) in kept.enumerated() { slot[old] = new }
      for (old, new) in alias { slot[old] = new }
      let residuals = (0..<count).map { index in
        slot[index].map { arguments[$0] } ?? arguments.builder.full(0, residualTypes[index])
      }
      return arguments.builder.inline(linear, residuals + arguments.dropFirst(kept.count))
    }
    return Linearization(
      primal: primal.selectingOutputs(
        Array(primal.outputs.prefix(outputCount)) + kept.map { primal.outputs[outputCount + $0] }
      ).simplified(),
      linear: narrowed.simplified(), residualTypes: types)
  }
}
