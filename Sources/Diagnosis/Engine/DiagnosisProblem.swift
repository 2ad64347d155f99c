import Curvature
import LinearMaps
import TensorPrograms

/// What is diagnosed: a loss, its data and a point to start from.
///
///     let problem = DiagnosisProblem(
///       name: "network", definition: loss, data: [images, labels], start: parameters)
///     let report = try diagnose(problem, executor: OnnxExecutor())
public struct DiagnosisProblem: Sendable {
  public var name: String
  public var definition: LossDefinition
  /// One array per data array of `definition`; floating-point ones in whatever precision, to be rounded
  /// to that of the diagnosis.
  public var data: [Tensor]
  /// The flat parameter vector, in the order of `definition.parameters`.
  public var start: [Double]
  public var modelName: String?
  public var lossName: String?
  public var targetName: String?
  /// The penalty `c` of `c/2 ||w||^2` that `definition` adds, if it does: with one, a minimum exists.
  public var l2: Double
  /// Whether the loss is a quadratic in the parameters.
  public var isQuadratic: Bool
  /// Whether the outputs are linear in the parameters, so that the Gauss-Newton matrix is the Hessian.
  public var isLinearInParameters: Bool
  /// Choices made for the user, in sentences.
  public var notes: [String]
  /// The file that the data came from.
  public var dataName: String?
  /// Called with the parameters at the point of diagnosis, before anything is measured there.
  public var atPoint: (@Sendable ([Double]) throws -> Void)?
  /// The table that the problem was made of: its columns can be named and standardised.
  var table: TabularProblem?

  /// - Precondition: `start` has one number per parameter.
  public init(
    name: String, definition: LossDefinition, data: [Tensor], start: [Double],
    modelName: String? = nil, lossName: String? = nil, targetName: String? = nil, l2: Double = 0,
    isQuadratic: Bool = false, isLinearInParameters: Bool = false, notes: [String] = []
  ) {
    precondition(
      start.count == definition.parameterCount,
      "\(start.count) numbers for \(definition.parameterCount) parameters")
    self.name = name
    self.definition = definition
    self.data = data
    self.start = start
    self.modelName = modelName
    self.lossName = lossName
    self.targetName = targetName
    self.l2 = l2
    self.isQuadratic = isQuadratic
    self.isLinearInParameters = isLinearInParameters
    self.notes = notes
  }

  public init(_ table: TabularProblem) {
    self.init(
      name: table.name, definition: table.definition, data: table.data(.float64),
      start: table.start(), modelName: table.model.name, lossName: table.loss.rawValue,
      targetName: table.targetName, l2: table.l2, isQuadratic: table.isQuadratic,
      isLinearInParameters: table.isLinearInParameters, notes: table.notes)
    self.table = table
  }

  public var sampleCount: Int { data.first?.shape.dimensions.first ?? 1 }

  /// The data with floating-point arrays in one precision.
  func data(_ element: ElementType) -> [Tensor] {
    data.map {
      $0.element.isFloating && $0.element != element
        ? Tensor($0.doubles, type: TensorType(element, $0.shape)) : $0
    }
  }

  /// The parameter at a flat index, in words: of a table, the column that it weighs.
  func parameterName(_ index: Int) -> String {
    table?.parameterName(index) ?? parameterTensor(index)
  }

  /// The name of the tensor that the parameter at a flat index belongs to.
  func parameterTensor(_ index: Int) -> String {
    var offset = index
    for parameter in definition.parameters {
      if offset < parameter.shape.count { return parameter.name }
      offset -= parameter.shape.count
    }
    preconditionFailure("there is no parameter \(index)")
  }
}
