import TensorPrograms

/// How one operator becomes equations.
struct OperatorRule: Sendable {
  let name: String
  /// The empty domain is ONNX's own.
  let domain: String
  /// Inputs that are no parameters whatever feeds them: shapes, axes, bounds, running statistics.
  let constants: [Int]
  /// Whether it is computed when the model is read where all its inputs are known.
  let isFolded: Bool
  /// The results in output order; trailing ones that the node leaves out may be missing.
  let `import`: @Sendable (NodeContext) throws -> [Traced]

  init(
    _ name: String, domain: String = "", constants: [Int] = [], isFolded: Bool = true,
    import: @escaping @Sendable (NodeContext) throws -> [Traced]
  ) {
    self.name = name
    self.domain = domain
    self.constants = constants
    self.isFolded = isFolded
    self.import = `import`
  }

  /// For `constants` of an operator whose result has no derivative by any input.
  static let everyInput = Array(0..<64)
}

/// Every operator that can be imported: a line here is the only registration.
enum OperatorCatalogue {
  static let all: [OperatorRule] =
    elementwise + activations + logic + products + structural + slicing + indexing + scattering
    + reductions + constants + control + neuralNetworks + sequences + sampling
    + classical + signals

  static func rule(_ name: String, domain: String) -> OperatorRule? { index[domain]?[name] }

  private static let index: [String: [String: OperatorRule]] = Dictionary(
    grouping: all, by: \.domain
  ).mapValues { Dictionary(uniqueKeysWithValues: $0.map { ($0.name, $0) }) }
}
