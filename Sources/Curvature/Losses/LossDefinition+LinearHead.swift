import LinearMaps
import TensorPrograms

/// The last layer of a model whose outputs are `H W + b`, with `W` a parameter that nothing else reads.
package struct LinearHead {
  /// Row-major, `rows` x `width`: the features `H` that the layer reads at the point.
  package var features: [Double]
  package var rows: Int
  package var width: Int
  /// Columns of `W`.
  package var outputs: Int
  /// The index of the parameter `b`, an entry per output; nil where there is none.
  package var bias: Int?
}

extension LossDefinition {
  /// The last layer, where the model's outputs end in one and its features are at most `maxNumbers`
  /// numbers; nil else.
  package func linearHead<Scalar: LinearMapScalar>(
    _ data: [Tensor], at point: [Scalar], executor: any Executor, maxNumbers: Int
  ) throws -> LinearHead? {
    guard let composite, let samples = data.first?.shape.dimensions.first, samples > 0 else {
      return nil
    }
    let size = couplesSamples ? samples : min(fixedBatch ?? 256, samples)
    let layout = ParameterLayout(parameterTypes(Scalar.element))
    var head: LinearHead?
    for start in stride(from: 0, to: samples, by: size) {
      let batch =
        size == samples ? data : data.map { $0.samples(start..<min(samples, start + size)) }
      let program = try traced(dataTypes: batch.map(\.type), element: Scalar.element) {
        [composite.model($0, $1)]
      }
      guard let part = program.linearHead(parameters: parameters.count) else { return nil }
      let type = program.type(of: part.features)
      guard type.shape.count / max(1, batch[0].shape[0]) * samples <= maxNumbers else { return nil }
      let features = try point.withUnsafeBufferPointer {
        try executor.compile(program.computing(part.features).simplified()).run(
          layout.views($0.baseAddress!).arguments + batch.map { .tensor($0) }, into: [.tensor])[0]
          .tensor().doubles
      }
      var whole =
        head
        ?? LinearHead(
          features: [], rows: 0, width: type.shape.dimensions[type.shape.rank - 1],
          outputs: part.outputs, bias: part.bias)
      whole.features += features
      whole.rows = whole.features.count / max(1, whole.width)
      head = whole
    }
    return head
  }
}

extension Program {
  /// The same equations, with another variable as the only output.
  fileprivate func computing(_ variable: Variable) -> Program {
    Program(types: types, inputs: inputs, equations: equations, outputs: [variable])
  }

  /// The variable that a last layer `H W (+ b)` reads, where the output is one.
  fileprivate func linearHead(
    parameters: Int
  ) -> (features: Variable, outputs: Int, bias: Int?)? {
    var makers: [Variable: Equation] = [:]
    for equation in equations {
      for result in equation.results { makers[result] = equation }
    }
    /// The parameter of which a variable holds each entry once, in whatever order.
    func weight(_ variable: Variable) -> Int? {
      var variable = variable
      while let maker = makers[variable] {
        switch maker.primitive {
        case .reshape, .transpose: variable = maker.operands[0]
        default: return nil
        }
      }
      return inputs.prefix(parameters).firstIndex(of: variable)
    }
    /// The parameter of one number per entry of the last axis that a variable repeats along all others.
    func bias(_ variable: Variable) -> Int? {
      let count = type(of: variable).shape.dimensions.last
      var variable = variable
      while let maker = makers[variable] {
        switch maker.primitive {
        case .reshape: variable = maker.operands[0]
        case .broadcast(let shape, let axes):
          guard axes.last == shape.rank - 1 else { return nil }
          variable = maker.operands[0]
        default: return nil
        }
        guard type(of: variable).shape.dimensions.last == count else { return nil }
      }
      guard type(of: variable).shape.count == count else { return nil }
      return inputs.prefix(parameters).firstIndex(of: variable)
    }
    var value = outputs[0]
    var offset: Int?
    while let maker = makers[value] {
      switch maker.primitive {
      case .reshape: value = maker.operands[0]
      case .binary(.add):
        guard offset == nil else { return nil }
        let (left, right) = (maker.operands[0], maker.operands[1])
        if let index = bias(right) {
          (value, offset) = (left, index)
        } else if let index = bias(left) {
          (value, offset) = (right, index)
        } else {
          return nil
        }
      case .dot(let dimensions):
        let (features, weights) = (maker.operands[0], maker.operands[1])
        let rank = type(of: features).shape.rank
        let width = type(of: weights).shape
        guard rank >= 2, width.rank == 2, dimensions.leftBatch.isEmpty,
          dimensions.leftContracting == [rank - 1],
          let weight = weight(weights)
        else { return nil }
        let count = width.count / max(1, type(of: features).shape[rank - 1])
        guard offset.map({ type(of: inputs[$0]).shape.count == count }) ?? true,
          !depends(features, on: [weight] + (offset.map { [$0] } ?? []), makers)
        else { return nil }
        return (features, count, offset)
      default: return nil
      }
    }
    return nil
  }

  private func depends(
    _ variable: Variable, on parameters: [Int], _ makers: [Variable: Equation]
  ) -> Bool {
    var seen = Set([variable])
    var open = [variable]
    while let next = open.popLast() {
      for operand in makers[next]?.operands ?? [] where seen.insert(operand).inserted {
        open.append(operand)
      }
    }
    return parameters.contains { seen.contains(inputs[$0]) }
  }
}
