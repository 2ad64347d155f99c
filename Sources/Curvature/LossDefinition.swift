import TensorPrograms

/// What is minimised: the mean of a loss over samples, as a function of named parameters.
///
/// The closures are traced once per batch size; each receives one value per parameter and one per data
/// array, whose leading axis runs over the samples of the batch.
public struct LossDefinition: Sendable {
  /// One trained tensor.
  public struct Parameter: Sendable, Hashable {
    public var name: String
    public var shape: Shape
    /// Whether it is an additive offset, which penalties leave out.
    public var isBias: Bool

    public init(_ name: String, _ shape: Shape, isBias: Bool = false) {
      self.name = name
      self.shape = shape
      self.isBias = isBias
    }
  }

  public typealias Function = @Sendable (_ parameters: [Traced], _ data: [Traced]) -> Traced

  public var parameters: [Parameter]
  /// The scalar objective: mean loss of the batch plus penalty.
  public var objective: Function
  /// The objective as `loss(model(parameters, data), data) + penalty(parameters)`; nil for a loss with
  /// no model output, which then has no Gauss-Newton matrix.
  public var composite: Composite?

  public struct Composite: Sendable {
    /// Outputs of the model, with one row per sample.
    public var model: Function
    /// The mean loss of a batch of outputs; convex in the outputs.
    public var loss: @Sendable (_ outputs: Traced, _ data: [Traced]) -> Traced
    public var penalty: (@Sendable (_ parameters: [Traced]) -> Traced)?
  }

  /// A loss with no model output.
  public init(parameters: [Parameter], objective: @escaping Function) {
    self.parameters = parameters
    self.objective = objective
  }

  /// A loss of a model's outputs.
  public init(
    parameters: [Parameter], model: @escaping Function,
    loss: @escaping @Sendable (Traced, [Traced]) -> Traced,
    penalty: (@Sendable ([Traced]) -> Traced)? = nil
  ) {
    self.parameters = parameters
    composite = Composite(model: model, loss: loss, penalty: penalty)
    objective = { parameters, data in
      let value = loss(model(parameters, data), data)
      guard let penalty else { return value }
      return value + penalty(parameters)
    }
  }

  /// Length of the flat parameter vector.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.count } }

  /// The objective of one batch as a program: parameters, then data, to one scalar.
  ///
  /// - Throws: `ProgramError` where shapes do not fit or the objective is not scalar.
  public func program(dataTypes: [TensorType], element: ElementType) throws -> Program {
    try traced(dataTypes: dataTypes, element: element) { [objective($0, $1)] }
  }

  /// The Gauss-Newton product `J' H_loss J v`, plus the penalty's own curvature, in the form of
  /// `Program.hessianProduct`; nil without a model output.
  ///
  /// `primal` yields residuals only.
  /// Reference: Schraudolph, "Fast curvature matrix-vector products", Neural Computation 14 (2002).
  public func gaussNewtonProduct(
    dataTypes: [TensorType], element: ElementType
  ) throws -> Linearization? {
    guard let composite else { return nil }
    let indices = Array(parameters.indices)
    let model = try traced(dataTypes: dataTypes, element: element) { [composite.model($0, $1)] }
    let loss = try Program.trace([model.outputTypes[0]] + dataTypes) {
      [composite.loss($0[0], Array($0.dropFirst()))]
    }
    let jacobian = model.linearized(withRespectTo: indices)
    let hessian = try loss.hessianProduct(withRespectTo: [0])
    let penalty = try composite.penalty.map { penalty in
      try traced(dataTypes: [], element: element) { parameters, _ in [penalty(parameters)] }
        .hessianProduct(withRespectTo: indices)
    }
    let transposed = jacobian.transposed
    let primal = try traced(dataTypes: dataTypes, element: element) { parameters, data in
      let builder = parameters[0].builder
      let forward = builder.inline(jacobian.primal, parameters + data)
      let atOutput = builder.inline(hessian.primal, [forward[0]] + data)
      var residuals = Array(forward.dropFirst()) + atOutput.dropFirst(2)
      if let penalty {
        residuals += builder.inline(penalty.primal, parameters).dropFirst(1 + parameters.count)
      }
      return residuals
    }
    let types = parameterTypes(element)
    let linear = try Program.trace(primal.outputTypes + types) { arguments in
      let builder = arguments[0].builder
      let j = arguments.prefix(jacobian.residualTypes.count)
      let h = arguments.dropFirst(j.count).prefix(hessian.residualTypes.count)
      let p = arguments.dropFirst(j.count + h.count).dropLast(types.count)
      let direction = Array(arguments.suffix(types.count))
      let output = builder.inline(jacobian.linear, j + direction)
      let curved = builder.inline(hessian.linear, h + output)
      let product = builder.inline(transposed, j + curved)
      guard let penalty else { return product }
      return zip(product, builder.inline(penalty.linear, p + direction)).map { $0 + $1 }
    }
    return Linearization(
      primal: primal.simplified(), linear: linear.simplified(), residualTypes: primal.outputTypes)
  }

  public func parameterTypes(_ element: ElementType) -> [TensorType] {
    parameters.map { TensorType(element, $0.shape) }
  }

  private func traced(
    dataTypes: [TensorType], element: ElementType, _ body: ([Traced], [Traced]) -> [Traced]
  ) throws -> Program {
    try Program.trace(parameterTypes(element) + dataTypes) { arguments in
      body(Array(arguments.prefix(parameters.count)), Array(arguments.dropFirst(parameters.count)))
    }
  }
}
