import Curvature
import LinearMaps
import TensorPrograms

/// The training step that lanes share, before it is made for so many of them.
struct LaneProgram {
  let traced: TracedStep
  let stateTensors: [StateTensor]

  init<Scalar: LinearMapScalar>(
    _ optimizer: any Optimizer, _ rules: StepRules, _ loss: any Loss<Scalar>
  ) {
    let definitions = loss.parameters
    stateTensors = optimizer.initialState(definitions)
    traced = TracedStep(
      optimizer: optimizer, rules: rules, definitions: definitions,
      parameterTypes: definitions.map { TensorType(Scalar.element, $0.shape) },
      stateTypes: stateTensors.map { TensorType(Scalar.element, $0.shape) })
  }

  /// The whole step over lanes: each input but the number of the step and the data has a leading axis.
  func step(_ gradient: Program, lanes: Int) throws -> Program {
    let whole = try traced.whole(gradient)
    let perLane = traced.parameterTypes.count + traced.stateTypes.count + 1
    return whole.vmap(batched: whole.inputs.indices.map { $0 < perLane }, size: lanes).simplified()
  }

  /// Bytes that the values of a chunk may take.
  static let cache = 8 << 20

  /// How many lanes are run together: as many as have their values in the cache, and one where lanes cannot
  /// share a program.
  func lanesPerChunk<Scalar: LinearMapScalar>(_ loss: any Loss<Scalar>, batches: Batches?) throws
    -> Int
  {
    // What an optimizer does on the host, or asks of the host, it does for one run at a time.
    guard let objective = loss.objective, objective.holdsAllSamples,
      traced.optimizer.curvatureProbe == nil, traced.optimizer.renewalPeriod == nil,
      traced.rules.accumulation == 1,
      batches != nil || objective.batchCount == 1
    else { return 1 }
    let gradient =
      try batches.map { try objective.gradientProgram(samples: $0.size) }
      ?? objective.gradientProgram(batch: 0)
    // A convolution with a kernel per lane is one in groups, which took 1.2 times as long as lane by lane.
    guard !gradient.hasConvolution else { return 1 }
    return max(1, Self.cache / max(1, try step(gradient, lanes: 2).valueBytes / 2))
  }
}

extension Program {
  /// Whether it, or a program that it carries, has a convolution.
  fileprivate var hasConvolution: Bool {
    equations.contains { equation in
      switch equation.primitive {
      case .convolution: true
      case .call(let body): body.hasConvolution
      case .scan(let scan): scan.body.hasConvolution
      default: false
      }
    }
  }
}
