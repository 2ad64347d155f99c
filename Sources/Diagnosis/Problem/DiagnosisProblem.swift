import Curvature
import LinearMaps
import Presentation
import TensorPrograms

/// Where a loss comes from.
public enum LossSource: Sendable {
  /// A traced function and one array per data array of it; floating-point ones in whatever precision, to be
  /// rounded to that of the diagnosis.
  case traced(LossDefinition, data: [Tensor])
  /// Somebody else's values and derivatives.
  case external(any ExternalLoss)
}

/// What is diagnosed: a loss, its data and a point to start from.
///
///     let problem = DiagnosisProblem(
///       name: "network", definition: loss, data: [images, labels], start: parameters)
///     let report = try diagnose(problem, executor: OnnxExecutor())
public struct DiagnosisProblem: Sendable {
  public var name: String
  public var loss: LossSource
  /// The flat parameter vector, in the order of `parameters`.
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
  /// What was noticed on the way, in sentences.
  public var notes: [String]
  /// What was decided for the user and stands in the report's first lines.
  public var readings: [Reading] = []
  /// What was found about the problem before anything was measured; it stands after what the measurements
  /// show.
  public var findings: [Finding] = []
  /// The arithmetic where a request names none; nil: float64 for what is linear in its parameters, float32
  /// for others.
  public var precision: PrecisionChoice?
  /// The file that the data came from.
  public var dataName: String?
  /// The state and the groups of the caller's own optimizer, whose step is judged; nil for one that begins.
  public var standing: OptimizerStanding?
  /// Whether a function was called, so that sentences name arguments where those for the command's user name
  /// flags: so it is where the loss is computed elsewhere.
  public var isOfCaller = false
  /// Called with the parameters at the point of diagnosis, before anything is measured there.
  public var atPoint: (@Sendable ([Double]) throws -> Void)?
  /// The same problem traced in float64; nil where `loss` can be had in any precision.
  public var inFloat64: (@Sendable () throws -> DiagnosisProblem)?
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
    loss = .traced(definition, data: data)
    self.start = start
    self.modelName = modelName
    self.lossName = lossName
    self.targetName = targetName
    self.l2 = l2
    self.isQuadratic = isQuadratic
    self.isLinearInParameters = isLinearInParameters
    self.notes = notes
  }

  /// A loss whose values and derivatives somebody else computes.
  ///
  /// - Precondition: `start` has one number per parameter.
  public init(name: String, loss external: any ExternalLoss, start: [Double], notes: [String] = [])
  {
    let count = external.parameters.reduce(0) { $0 + $1.shape.count }
    precondition(start.count == count, "\(start.count) numbers for \(count) parameters")
    self.name = name
    loss = .external(external)
    self.start = start
    isOfCaller = true
    l2 = 0
    isQuadratic = false
    isLinearInParameters = false
    self.notes = notes
  }

  public init(_ table: TabularProblem) {
    self.init(
      name: table.name, definition: table.definition, data: table.data(.float64),
      start: table.start(), modelName: table.model.name, lossName: table.loss.name,
      targetName: table.targetName, l2: table.l2, isQuadratic: table.isQuadratic,
      isLinearInParameters: table.isLinearInParameters, notes: table.notes)
    self.table = table
    readings = table.readings
  }

  public var parameters: [LossDefinition.Parameter] {
    switch loss {
    case .traced(let definition, _): definition.parameters
    case .external(let external): external.parameters
    }
  }

  public var sampleCount: Int {
    if let compression = table?.compression { return compression.sampleCount }
    return switch loss {
    case .traced(_, let data): data.first?.shape.dimensions.first ?? 1
    case .external(let external): external.sampleCount
    }
  }

  /// The same problem on other rows of its table.
  func onRows(of table: TabularProblem) -> DiagnosisProblem {
    var result = self
    result.table = table
    result.loss = .traced(table.definition, data: table.data(.float64))
    return result
  }

  /// The loss as a program; nil for one that is computed elsewhere.
  var definition: LossDefinition? {
    if case .traced(let definition, _) = loss { definition } else { nil }
  }

  var data: [Tensor] {
    if case .traced(_, let data) = loss { data } else { [] }
  }

  /// The data with floating-point arrays in one precision.
  func data(_ element: ElementType) -> [Tensor] {
    data.map {
      $0.element.isFloating && $0.element != element
        ? Tensor($0.doubles, type: TensorType(element, $0.shape)) : $0
    }
  }

  /// The arithmetic of a run with these resources.
  func precision(_ resources: Resources) -> PrecisionChoice {
    resources.precision ?? precision ?? (isLinearInParameters ? .float64 : .float32)
  }

  /// The parameter at a flat index, in words: of a table, the column that it weighs.
  func parameterName(_ index: Int) -> String {
    table?.parameterName(index) ?? parameterTensor(index)
  }

  /// The name of the tensor that the parameter at a flat index belongs to.
  func parameterTensor(_ index: Int) -> String {
    var offset = index
    for parameter in parameters {
      if offset < parameter.shape.count { return parameter.name }
      offset -= parameter.shape.count
    }
    preconditionFailure("there is no parameter \(index)")
  }
}

extension DiagnosisProblem {
  /// The loss in one precision.
  ///
  /// - Throws: what tracing and compiling throw.
  func loss<Scalar: LinearMapScalar>(
    executor: any Executor, memory: Int, context: RunContext
  ) throws -> any Loss<Scalar> {
    switch loss {
    case .traced(let definition, _):
      try Objective<Scalar>(
        definition, data: data(Scalar.element), executor: executor, memoryBudget: memory,
        context: context)
    case .external(let external):
      ClosureLoss<Scalar>(external, executor: executor, context: context)
    }
  }
}
