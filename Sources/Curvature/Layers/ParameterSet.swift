import LinearMaps
import TensorPrograms

/// The parameters of a model written in Swift: named tensors with seeded starting values, layer by layer.
///
///     var parameters = ParameterSet(seed: 1)
///     parameters.convolution("conv1", inputs: 3, outputs: 16, window: [3, 3])
///     parameters.dense("head", inputs: 16, outputs: 10)
///
/// Names and layouts are PyTorch's: `conv1.weight` is `[outputs, inputs / groups, window...]`,
/// `head.weight` is `[outputs, inputs]`.
public struct ParameterSet: Sendable {
  /// The variance of starting weights, for a layer of `fan_in` inputs per output; biases start at 0.
  public enum Initialization: Sendable, Hashable {
    /// `2 / fan_in`, for relu and its kin.
    ///
    /// Reference: He et al., "Delving deep into rectifiers", ICCV 2015, equation 10.
    case he
    /// `1 / fan_in`, for tanh, sigmoids and attention.
    ///
    /// Reference: LeCun et al., "Efficient BackProp" (1998), section 4.6.
    case leCun

    /// Normal weights of this variance.
    package func weights(
      _ count: Int, fanIn: Int, _ generator: inout SeededGenerator
    ) -> [Double] {
      let inputs = Double(max(1, fanIn))
      let deviation = self == .he ? (2 / inputs).squareRoot() : 1 / inputs.squareRoot()
      return (0..<count).map { _ in generator.nextNormal() * deviation }
    }
  }

  public private(set) var definitions: [LossDefinition.Parameter] = []
  /// The starting values, flat, in the order of `definitions`.
  public private(set) var start: [Double] = []
  public var initialization: Initialization
  private var generator: SeededGenerator

  public init(seed: UInt64 = 0, _ initialization: Initialization = .he) {
    self.initialization = initialization
    generator = SeededGenerator(seed: seed)
  }

  /// A tensor with starting values of its own.
  /// - Precondition: no other tensor has the name.
  public mutating func add(
    _ name: String, _ value: Tensor, role: LossDefinition.Parameter.Role = .weight
  ) {
    precondition(
      !definitions.contains { $0.name == name }, "there are two parameters named \(name)")
    definitions.append(.init(name, value.shape, role: role))
    start += value.doubles
  }

  /// Normal weights of the variance that `initialization` names.
  public mutating func addWeight(_ name: String, _ shape: Shape, fanIn: Int) {
    let values = initialization.weights(shape.count, fanIn: fanIn, &generator)
    add(name, Tensor(values, type: TensorType(.float64, shape)))
  }

  private mutating func addConstant(
    _ name: String, _ count: Int, _ value: Double, role: LossDefinition.Parameter.Role = .bias
  ) {
    add(name, Tensor(repeating: value, type: .float64(count)), role: role)
  }

  /// `name.weight` `[outputs, inputs]` and `name.bias`, for `Traced.dense`.
  public mutating func dense(_ name: String, inputs: Int, outputs: Int, bias: Bool = true) {
    addWeight(name + ".weight", [outputs, inputs], fanIn: inputs)
    if bias { addConstant(name + ".bias", outputs, 0) }
  }

  /// `name.weight` `[outputs, inputs / groups, window...]` and `name.bias`, for `Traced.convolution`.
  public mutating func convolution(
    _ name: String, inputs: Int, outputs: Int, window: [Int], groups: Int = 1, bias: Bool = true
  ) {
    let shape = Shape([outputs, inputs / groups] + window)
    addWeight(name + ".weight", shape, fanIn: shape.removing([0]).count)
    if bias { addConstant(name + ".bias", outputs, 0) }
  }

  /// `name.weight` of ones and `name.bias` of zeros, for every kind of normalization.
  public mutating func normalization(_ name: String, features: Int) {
    addConstant(name + ".weight", features, 1, role: .normScale)
    addConstant(name + ".bias", features, 0)
  }

  /// `name.weight` `[count, width]`, normal with variance `1 / width`, for `Traced.embedded`.
  public mutating func embedding(_ name: String, count: Int, width: Int) {
    let values = Initialization.leCun.weights(count * width, fanIn: width, &generator)
    add(name + ".weight", Tensor(values, type: .float64(count, width)))
  }

  /// `name.query`, `.key`, `.value` and `.output`, dense layers, for `Traced.attention`.
  public mutating func attention(_ name: String, width: Int) {
    for part in ["query", "key", "value", "output"] {
      dense("\(name).\(part)", inputs: width, outputs: width)
    }
  }

  /// `name.input.weight` `[4 hidden, inputs]`, `name.hidden.weight` `[4 hidden, hidden]` and
  /// `name.input.bias`, gates in PyTorch's order (input, forget, cell, output), for `Traced.lstm`.
  public mutating func lstm(_ name: String, inputs: Int, hidden: Int) {
    dense(name + ".input", inputs: inputs, outputs: 4 * hidden)
    dense(name + ".hidden", inputs: hidden, outputs: 4 * hidden, bias: false)
  }
}

/// The traced values of a model's parameters, by name: `p["conv1"].weight`.
public struct LayerParameters {
  private let values: [String: Traced]
  private let path: String

  init(_ values: [String: Traced], path: String = "") {
    self.values = values
    self.path = path
  }

  /// - Parameter values: one per definition, in order.
  public init(_ definitions: [LossDefinition.Parameter], _ values: [Traced]) {
    self.init(Dictionary(uniqueKeysWithValues: zip(definitions.map(\.name), values)))
  }

  /// The parameters whose names go on with `name`: `p["block1"]["attention"]`.
  public subscript(name: String) -> LayerParameters {
    LayerParameters(values, path: full(name))
  }

  /// The tensor with this name.
  /// - Precondition: there is one.
  public func tensor(_ name: String) -> Traced {
    guard let value = values[full(name)] else {
      preconditionFailure(
        "there is no parameter \(full(name)) among \(values.keys.sorted().joined(separator: ", "))")
    }
    return value
  }

  public var weight: Traced { tensor("weight") }
  /// Nil for a layer without one.
  public var bias: Traced? { values[full("bias")] }

  private func full(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
}
