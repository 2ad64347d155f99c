import TensorPrograms

/// What is minimised: the mean of a loss over samples, as a function of named parameters.
///
/// The closures are traced once per batch size; each receives one value per parameter and one per data
/// array, whose leading axis runs over the samples of the batch.
public struct LossDefinition: Sendable {
  /// One trained tensor.
  public struct Parameter: Sendable, Hashable {
    /// What a tensor does in its model.
    public enum Role: String, Sendable, Hashable, Codable, CaseIterable {
      case weight
      /// An additive offset.
      case bias
      /// What a normalisation multiplies by.
      case normScale = "norm-scale"
    }

    public var name: String
    public var shape: Shape
    public var role: Role
    /// Whether the rows of a matrix belong to outputs and its columns to inputs, as in a file whose nodes transpose
    /// it; else it is the other way round.
    public var isOutputsFirst = false

    /// Whether penalties and decay leave it out: all but weights.
    public var isBias: Bool { role != .weight }

    public init(_ name: String, _ shape: Shape, role: Role) {
      self.name = name
      self.shape = shape
      self.role = role
    }

    public init(_ name: String, _ shape: Shape, isBias: Bool = false) {
      self.init(name, shape, role: isBias ? .bias : .weight)
    }
  }

  /// The penalty `c/2 ||w||^2` over all weights.
  ///
  /// - Parameter firstRowScales: factors of the squares of the first parameter's rows; nil for equal ones.
  package static func decay(
    _ c: Double, of parameters: [Parameter], firstRowScales: [Double]? = nil
  ) -> @Sendable ([Traced]) -> Traced {
    { values in
      var total: Traced?
      for (index, parameter) in parameters.enumerated() where !parameter.isBias {
        var squares = values[index].square()
        if index == 0, let firstRowScales {
          let type = TensorType(squares.element, Shape([firstRowScales.count, 1]))
          squares = squares * squares.builder.constant(Tensor(firstRowScales, type: type))
        }
        total = total.map { $0 + squares.sum() } ?? squares.sum()
      }
      return (total ?? values[0].scalar(0)) * (c / 2)
    }
  }

  public typealias Function = @Sendable (_ parameters: [Traced], _ data: [Traced]) -> Traced

  public var parameters: [Parameter]
  /// The scalar objective: mean loss of the batch plus penalty.
  public var objective: Function
  /// The objective as `loss(model(parameters, data), data) + penalty(parameters)`; nil for a loss with
  /// no model output, which then has no Gauss-Newton matrix.
  public var composite: Composite?
  /// Whether a sample's share of the loss depends on the others of its batch, as under batch
  /// normalization while training: the loss is then that of one batch, which is never cut.
  public var couplesSamples = false
  /// The size of the only batch that the model takes, as one with a fixed batch axis; it divides the
  /// number of samples. Nil where any will do.
  public var fixedBatch: Int?

  public struct Composite: Sendable {
    /// Outputs of the model, with one row per sample.
    public var model: Function
    /// The mean loss of a batch of outputs; convex in the outputs.
    public var loss: @Sendable (_ outputs: Traced, _ data: [Traced]) -> Traced
    public var penalty: (@Sendable (_ parameters: [Traced]) -> Traced)?
    /// The distribution of targets that the loss is the likelihood of; nil where there is none, and
    /// then no Fisher matrix but the empirical one.
    public var distribution: OutputDistribution?
    /// What the mean of the samples' losses is multiplied by: `n` where they are added up.
    public var weight = 1.0
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
    penalty: (@Sendable ([Traced]) -> Traced)? = nil, distribution: OutputDistribution? = nil,
    weight: Double = 1
  ) {
    self.parameters = parameters
    composite = Composite(
      model: model, loss: loss, penalty: penalty, distribution: distribution, weight: weight)
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

  public func parameterTypes(_ element: ElementType) -> [TensorType] {
    parameters.map { TensorType(element, $0.shape) }
  }

  func traced(
    dataTypes: [TensorType], element: ElementType, _ body: ([Traced], [Traced]) -> [Traced]
  ) throws -> Program {
    try Program.trace(parameterTypes(element) + dataTypes) { arguments in
      body(Array(arguments.prefix(parameters.count)), Array(arguments.dropFirst(parameters.count)))
    }
  }
}
