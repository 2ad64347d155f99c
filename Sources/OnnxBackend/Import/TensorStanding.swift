import TensorPrograms

/// Whether a stored tensor that a loss depends on smoothly is a parameter, and why not.
struct TensorStanding {
  private(set) var reason: String?
  private(set) var mayBeParameter = false

  /// - Parameters:
  ///   - isConstant: whether a Constant node stores it.
  ///   - keepsWeightsInConstants: whether no initializer of the file is the weight of a layer.
  init(
    _ name: String, _ value: Tensor, uses: TensorUses, signature: ExportSignature,
    isConstant: Bool, keepsWeightsInConstants: Bool
  ) {
    // What the exporter says of a module's tensors needs no guess.
    if signature.parameters.contains(name) { return }
    if signature.constants.contains(name) {
      reason = "a buffer of the PyTorch module"
      return
    }
    let numbers = value.doubles
    let isOneNumber = numbers.count == 1
    let isUniform = numbers.allSatisfy { $0 == numbers[0] }
    let places = uses.uses(of: name)
    let isWeight = places.contains(where: \.isWeight)
    if numbers.contains(where: \.isInfinite) {
      reason = "holds infinities, as a mask does"
    } else if isConstant, isOneNumber,
      !keepsWeightsInConstants || value.shape.rank == 0 || ExporterNames.isConstant(name)
    {
      reason = "a number written into the graph"
    } else if isConstant, !keepsWeightsInConstants {
      reason = "a Constant node, beside weights that are initializers"
      mayBeParameter = isWeight && value.shape.rank >= 2
    } else if isConstant, !isWeight, ExporterNames.isConstant(name) {
      reason = "a constant of the exporter"
    } else if ExporterNames.isConstant(name), isUniform {
      // As PyTorch's exporter names scales and initial states; weights keep their own names. The slope of
      // a PRelu is nothing else, though, and a scale or shift may be one that was not trained yet.
      if places.contains(where: { $0.node.opType == "PRelu" }) { return }
      reason = "a constant of the exporter"
      mayBeParameter =
        !isOneNumber && places.contains { ["Mul", "Add"].contains($0.node.opType) }
    } else if ExporterNames.isConstant(name), !isWeight || Set(numbers).count == 2 {
      // A matrix of two numbers is an identity or a mask; weights have as many as entries.
      reason = "made by the exporter's constant folding"
      mayBeParameter = true
    } else if isOneNumber {
      reason = Self.roleOfNumber(numbers[0], name, value, places, uses)
    }
  }

  /// What a tensor is that is used, but not differentiated by.
  static func roleOfConstant(_ places: [TensorUses.Use]) -> String {
    func all(_ operation: String, _ inputs: ClosedRange<Int>) -> Bool {
      !places.isEmpty
        && places.allSatisfy { $0.node.opType == operation && inputs.contains($0.input) }
    }
    if all("BatchNormalization", 3...4) { return "a running statistic" }
    if all("Clip", 1...2) { return "a bound" }
    return "a bound, a running statistic or the like"
  }

  /// What a single number is, where that is no parameter. An axis does not change what a tensor is for,
  /// but numbers with one are kept as parameters but for exponents and epsilons, as exporters write them
  /// only where a module has them.
  private static func roleOfNumber(
    _ number: Double, _ name: String, _ value: Tensor, _ places: [TensorUses.Use],
    _ uses: TensorUses
  ) -> String? {
    guard value.shape.rank == 0 else { return nil }
    if !places.isEmpty, places.allSatisfy({ $0.node.opType == "Pow" && $0.input == 1 }) {
      return "an exponent"
    }
    if !places.isEmpty, places.allSatisfy({ $0.node.opType == "Clip" && $0.input > 0 }) {
      return "a bound"
    }
    let isEpsilon = places.allSatisfy { place in
      ["Add", "Max", "Clip", "Sub"].contains(place.node.opType)
        && place.node.output.contains { uses.isNearRoot($0) }
    }
    if number > 0, number <= 1e-3, !places.isEmpty, isEpsilon { return "an epsilon" }
    if let known = MathematicalConstant.name(of: number) { return known }
    if [0.5, 1, 3].contains(number), uses.isNear("Erf", name) { return "a part of GELU" }
    let inverse = 1 / (number * number)
    let isRootOfSize = [inverse, number * number].contains {
      $0 >= 2 && abs($0 - $0.rounded()) < 1e-5 * $0
    }
    if isRootOfSize,
      places.allSatisfy({ place in
        ["Mul", "Div"].contains(place.node.opType)
          && place.node.input.contains { uses.isProductOfActivations($0) }
      })
    {
      return "the scale of attention"
    }
    return nil
  }
}

extension TensorUses {
  /// Whether only nodes that quantise read a tensor, as a scale or zero point.
  func isScaleOfActivations(_ name: String) -> Bool {
    let places = uses(of: name)
    return !places.isEmpty
      && places.allSatisfy {
        $0.input > 0
          && ($0.node.opType == "DequantizeLinear"
            || OnnxModel.roundingOperators.contains($0.node.opType))
      }
  }

  /// Whether a root, a logarithm or a division is next.
  fileprivate func isNearRoot(_ name: String) -> Bool {
    uses(of: name).contains {
      ["Sqrt", "Log", "Reciprocal"].contains($0.node.opType)
        || $0.node.opType == "Div" && $0.input == 1 || $0.node.opType == "Pow" && $0.input == 0
    }
  }

  /// Whether a value is a matrix product of two values that nodes make.
  fileprivate func isProductOfActivations(_ name: String) -> Bool {
    guard let node = maker(of: origin(of: name)), ["MatMul", "Einsum"].contains(node.opType)
    else { return false }
    return node.input.allSatisfy { maker(of: origin(of: $0)) != nil }
  }
}

/// Numbers that formulas are written with.
private enum MathematicalConstant {
  private static let known: [Double] = [
    1.414_213_562_373_095, 0.707_106_781_186_547_5, 0.797_884_560_802_865_4, 0.044_715, .pi,
    2 * .pi,
    0.693_147_180_559_945_3, 1 / 0.693_147_180_559_945_3, 2.718_281_828_459_045,
    1.837_877_066_409_345_3, 0.918_938_533_204_672_7, 1.702,
  ]

  static func name(of number: Double) -> String? {
    known.contains { abs(abs(number) - $0) <= 1e-7 * $0 } ? "a constant of a formula" : nil
  }
}

/// Names that exporters give to what has none in the model.
enum ExporterNames {
  /// Whether a name is an exporter's own: of a constant, or of a tensor that constant folding made.
  static func isConstant(_ name: String) -> Bool {
    let patterns: [Regex<Substring>] = [
      // PyTorch: the graph's values by number, nodes of an operator, constants that it lifted.
      /_?val_\d+/, /onnx::\w+_\d+/, /\d+/, /(?:.*\/)?Constant(?:_\d+)?(?:_output_\d+)?/,
      /(?:scalar_tensor|full|lift_fresh)_?(?:default|copy)?(?:_\d+)?/, /_?c?_?lifted_tensor_\d+/,
      /(?:permute|transpose|matmul|mm|addmm|expand|getitem|clone|_to_copy|view)(?:_\d+)?/,
      /(?:mean|sum|mul|add)_\d+/,
      /(?:ones|zeros|full|empty)(?:_like)?(?:_\d+)?/,
      // TensorFlow, JAX, scikit-learn, PaddlePaddle.
      /(?:.*[\/_:.])?(?:new_)?[Cc]onst(?:ant)?s?(?:[\/_:.].*|\d+)?/, /.*\/[xy]:0/, /[A-Z]\w*cst\d*/,
      /const_fold_opt__\d+/, /auto_const_\d+/,
    ]
    return patterns.contains { name.wholeMatch(of: $0) != nil }
  }
}
