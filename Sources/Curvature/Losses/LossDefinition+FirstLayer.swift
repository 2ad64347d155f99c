import TensorPrograms

/// Where the features of a data array lie that a layer reads directly.
package enum FeaturePlace: Sendable, Equatable {
  /// Along an axis of the array: the contracted one of a dense layer, the channels of a convolution.
  case axis(Int)
  /// Each entry of a sample is a feature: the layer reads the array flattened.
  case entries
}

extension LossDefinition {
  /// The features of a data array, where all that reads it is layers: dot products and convolutions with
  /// a parameter. Nil where the model does something else with it first, such as scaling it itself.
  ///
  /// - Throws: `ProgramError` where the model does not take the data.
  package func firstLayerFeatures(
    of array: Int, _ data: [Tensor], element: ElementType
  ) throws -> FeaturePlace? {
    guard let samples = data.first?.shape.dimensions.first, samples > 0 else { return nil }
    let size = couplesSamples ? samples : min(fixedBatch ?? 2, samples)
    let types = data.map { tensor in
      var type = tensor.type
      if type.element.isFloating { type = TensorType(element, type.shape) }
      if type.shape.rank > 0, size < samples { type.shape[0] = size }
      return type
    }
    let program = try traced(dataTypes: types, element: element) {
      [(composite?.model ?? objective)($0, $1)]
    }
    return program.layerFeatures(of: program.inputs[parameters.count + array], parameters.count)
  }
}

extension Program {
  fileprivate func layerFeatures(of input: Variable, _ parameters: Int) -> FeaturePlace? {
    var weights = Set(inputs.prefix(parameters))
    var isFlat = false
    /// The input, and what holds its entries in their order.
    var copies: Set<Variable> = [input]
    var place: FeaturePlace?
    let rank = type(of: input).shape.rank
    for equation in equations {
      switch equation.primitive {
      case .reshape, .transpose, .convert, .broadcast:
        if weights.contains(equation.operands[0]) { weights.formUnion(equation.results) }
      default: break
      }
      guard equation.operands.contains(where: copies.contains) else { continue }
      var found: FeaturePlace?
      switch equation.primitive {
      case .convert: copies.formUnion(equation.results)
      case .reshape(let shape):
        let before = type(of: equation.operands[0]).shape
        guard shape == before || shape.rank == 2 && shape[0] == before.dimensions.first else {
          return nil
        }
        isFlat = isFlat || shape != before
        copies.formUnion(equation.results)
      case .dot(let dimensions):
        guard copies.contains(equation.operands[0]), weights.contains(equation.operands[1]),
          dimensions.leftContracting.count == 1, let axis = dimensions.leftContracting.first,
          axis > 0
        else { return nil }
        found = isFlat ? .entries : .axis(axis)
      case .convolution(let convolution):
        guard copies.contains(equation.operands[0]), weights.contains(equation.operands[1]),
          convolution.role == .output, rank > 1, !isFlat
        else { return nil }
        found = .axis(1)
      default: return nil
      }
      guard let found else { continue }
      guard place == nil || place == found else { return nil }
      place = found
    }
    return place
  }
}
