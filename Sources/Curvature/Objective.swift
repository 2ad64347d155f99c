import LinearMaps
import TensorPrograms

/// A loss over a data set, its gradient, and its curvature as linear maps.
///
/// Parameters are one flat vector in the order of `LossDefinition.parameters`, each row-major. The data
/// are cut into micro-batches where one run over all samples would exceed the memory budget; every
/// result is the mean over all samples whatever the cut.
public final class Objective<Scalar: LinearMapScalar>: Loss {
  public let definition: LossDefinition
  public let data: [Tensor]
  public let executor: any Executor
  public let memoryBudget: Int
  /// Samples per micro-batch.
  public let batchSize: Int

  /// Asked before each curvature product; once cancelled, products throw `CancellationError`.
  package let context: RunContext
  /// Adds up over all parties that hold samples.
  package let reduction: any Reduction
  /// Whether no other party has samples of the mean.
  package var holdsAllSamples: Bool { reduction is LocalReduction }

  let layout: ParameterLayout
  private let batches: [SampleBatches.Batch]
  private let kept: [[Argument]]
  private var programs: [ProgramKey: Program] = [:]
  private var executables: [ProgramKey: any Executable] = [:]
  private var linearizations: [ProgramKey: Linearization] = [:]

  /// Floating-point operations spent so far, by count; divide by `gradientOperations` for
  /// gradient-equivalents.
  public private(set) var operations = 0.0

  private struct ProgramKey: Hashable {
    var kind: Kind
    var count: Int
  }

  private enum Kind: Hashable {
    case value, gradient
    case primal(CurvatureKind, [Int]), linear(CurvatureKind, [Int], columns: Int)
  }

  /// - Parameters:
  ///   - data: arrays whose leading axes all run over the samples.
  ///   - memoryBudget: bytes that one run's values and the kept residuals may take.
  ///   - maxBatchSize: samples that a micro-batch has at most, whatever memory there is.
  ///   - reduction: sums over all parties that hold samples of the mean, here of their numbers first: each
  ///     calls the same methods in the same order.
  /// - Throws: `ProgramError` where the loss does not fit the data or is not scalar; what the executor
  ///   throws on compiling.
  public init(
    _ definition: LossDefinition, data: [Tensor], executor: any Executor,
    memoryBudget: Int = 2 << 30, maxBatchSize: Int? = nil, context: RunContext = RunContext(),
    reduction: any Reduction = LocalReduction()
  ) throws {
    self.context = context
    self.reduction = reduction
    self.definition = definition
    self.data = data
    self.executor = executor
    self.memoryBudget = memoryBudget
    layout = ParameterLayout(definition.parameterTypes(Scalar.element))
    let samples = data.first?.shape.dimensions.first ?? 1
    let traced = definition.fixedBatch ?? samples
    precondition(samples % traced == 0, "\(samples) samples are no whole batches of \(traced)")
    let whole = try definition.program(
      dataTypes: traced == samples
        ? data.map(\.type) : SampleBatches.types(of: data, count: traced), element: Scalar.element
    ).hessianProduct(withRespectTo: Array(definition.parameters.indices))
    let bytes = whole.primal.valueBytes + whole.linear.valueBytes
    let affordable =
      bytes <= memoryBudget || definition.couplesSamples || definition.fixedBatch != nil
      ? traced
      : max(1, min(samples, Int(Double(samples) * Double(memoryBudget) / Double(bytes))))
    batchSize =
      definition.couplesSamples || definition.fixedBatch != nil
      ? traced : min(affordable, max(1, maxBatchSize ?? samples))
    var batches =
      definition.couplesSamples
      ? [SampleBatches.Batch(count: samples, weight: 1, data: data)]
      : SampleBatches(data, size: batchSize).batches
    var total = Double(samples)
    try reduction.sum(&total, 1)
    for index in batches.indices { batches[index].weight *= Double(samples) / total }
    self.batches = batches
    kept = try batches.map { try $0.data.map { .resident(try executor.keep($0)) } }
    let all = Array(definition.parameters.indices)
    linearizations[ProgramKey(kind: .primal(.hessian, all), count: batches[0].count)] =
      batches.count == 1 ? whole : nil
  }

  public var parameters: [LossDefinition.Parameter] { definition.parameters }
  public var parameterCount: Int { layout.count }
  public var hasModelOutput: Bool { definition.composite != nil }
  public var objective: Objective<Scalar>? { self }
  public var sampleCount: Int { data.first?.shape.dimensions.first ?? 1 }
  package var batchCount: Int { batches.count }
  func weight(_ batch: Int) -> Double { batches[batch].weight }

  // MARK: Programs

  /// The data types of a batch of `count` samples.
  private func types(count: Int) -> [TensorType] {
    definition.couplesSamples
      ? data.map(\.type) : SampleBatches.types(of: data, count: count)
  }

  private func program(count: Int) throws -> Program {
    try definition.program(dataTypes: types(count: count), element: Scalar.element)
  }

  func linearization(
    _ kind: CurvatureKind, _ parameters: [Int], batch: Int
  ) throws -> Linearization {
    let key = ProgramKey(kind: .primal(kind, parameters), count: batches[batch].count)
    if let known = linearizations[key] { return known }
    var types = types(count: key.count)
    if kind == .sampledFisher,
      let outputs = try definition.outputType(dataTypes: types, element: Scalar.element)
    {
      types.append(outputs)
    }
    let made = try definition.curvatureProduct(
      kind, withRespectTo: parameters, dataTypes: types, element: Scalar.element)
    linearizations[key] = made
    return made
  }

  private func executable(
    _ kind: Kind, count: Int, _ make: () throws -> Program
  ) throws -> any Executable {
    let key = ProgramKey(kind: kind, count: count)
    if let known = executables[key] { return known }
    let compiled = try executor.compile(make())
    executables[key] = compiled
    return compiled
  }

  /// From parameters and data of a micro-batch to its loss and gradient.
  ///
  /// Made once and compiled when it is first run: what it costs is asked for earlier.
  package func gradientProgram(batch: Int) throws -> Program {
    try gradientProgram(samples: batches[batch].count)
  }

  /// The same for this many samples.
  package func gradientProgram(samples count: Int) throws -> Program {
    let key = ProgramKey(kind: .gradient, count: count)
    if let known = programs[key] { return known }
    let made = try program(count: key.count)
      .gradient(withRespectTo: Array(definition.parameters.indices))
    programs[key] = made
    return made
  }

  private func gradientExecutable(batch: Int) throws -> any Executable {
    try executable(.gradient, count: batches[batch].count) { try gradientProgram(batch: batch) }
  }

  package func keptData(batch: Int) -> [Argument] { kept[batch] }
  func keptCount(batch: Int) -> Int { batches[batch].count }

  /// Operations of one gradient over all samples: the unit of gradient-equivalents.
  public func gradientOperations() throws -> Double {
    try batches.indices.reduce(0) { try $0 + gradientProgram(batch: $1).operationCount }
  }

  /// What one gradient over all samples takes in time, about, in operations of a large matrix product.
  public func gradientWork() throws -> Double {
    try batches.indices.reduce(0) { try $0 + gradientProgram(batch: $1).workEstimate }
  }

  /// The mean over all samples.
  private var sum: BatchSum {
    BatchSum(
      batches: batches.indices, weights: batches.map(\.weight), reduction: reduction)
  }

  // MARK: Values and gradients

  /// The mean loss at a flat parameter vector.
  public func value(at parameters: [Scalar]) throws -> Double {
    try parameters.withUnsafeBufferPointer { flat in
      let point = layout.views(flat.baseAddress!).arguments
      return try sum(0, into: nil as UnsafeMutablePointer<Scalar>?) { index, _ in
        let count = batches[index].count
        let executable = try executable(.value, count: count) {
          try program(count: count).simplified()
        }
        operations += executable.program.operationCount
        let loss = try executable.run(point + kept[index], into: [.tensor])
        return try loss[0].tensor().scalarValue
      }
    }
  }

  /// The mean loss and its gradient, flat.
  public func valueAndGradient(at parameters: [Scalar]) throws -> (
    value: Double, gradient: [Scalar]
  ) {
    var gradient = [Scalar](repeating: 0, count: layout.count)
    let value = try parameters.withUnsafeBufferPointer { point in
      try gradient.withUnsafeMutableBufferPointer { gradient in
        try valueAndGradient(at: point.baseAddress!, into: gradient.baseAddress!)
      }
    }
    return (value, gradient)
  }

  package func valueAndGradient(
    at point: UnsafePointer<Scalar>, into gradient: UnsafeMutablePointer<Scalar>
  ) throws -> Double {
    let arguments = layout.views(point).arguments
    return try sum(layout.count, into: gradient) { batch, part in
      let executable = try gradientExecutable(batch: batch)
      operations += executable.program.operationCount
      let results = try executable.run(
        arguments + kept[batch], into: [.tensor] + layout.views(part!).destinations)
      return try results[0].tensor().scalarValue
    }
  }

  // MARK: Curvature

  /// The residuals of one micro-batch at a point, in the executor's memory.
  ///
  /// - Parameter noise: what draws the batch's targets, for `sampledFisher` only.
  func residuals(
    _ kind: CurvatureKind, _ parameters: [Int], batch: Int, at point: UnsafePointer<Scalar>,
    noise: [Argument]
  ) throws -> [Argument] {
    let linearization = try linearization(kind, parameters, batch: batch)
    let primal = linearization.primal
    let count = linearization.residualTypes.count
    // As of a quadratic without data: no executor takes a program of nothing.
    guard count > 0 else { return [] }
    let executable = try executable(.primal(kind, parameters), count: batches[batch].count) {
      primal.selectingResults(primal.outputs.count - count..<primal.outputs.count)
    }
    operations += executable.program.operationCount
    return try executable.run(
      layout.views(point).arguments + kept[batch] + noise,
      into: linearization.residualTypes.map { _ in .resident })
  }

  /// The linear program of one micro-batch for a number of directions at once.
  func linearExecutable(
    _ kind: CurvatureKind, _ parameters: [Int], batch: Int, columns: Int
  ) throws -> any Executable {
    try executable(.linear(kind, parameters, columns: columns), count: batches[batch].count) {
      let linearization = try linearization(kind, parameters, batch: batch)
      guard columns > 1 else { return linearization.linear }
      let isDirection =
        linearization.residualTypes.map { _ in false } + parameters.map { _ in true }
      return linearization.linear.vmap(batched: isDirection, size: columns).simplified()
    }
  }

  /// The noise that draws targets from the model, cut into the micro-batches: the same for each sample
  /// whatever the cut.
  func noise(seed: UInt64) throws -> [Argument] {
    guard let distribution = definition.composite?.distribution,
      var type = try definition.outputType(
        dataTypes: types(count: batches[0].count), element: Scalar.element)
    else { return [] }
    type.shape[0] = sampleCount
    return try SampleBatches([distribution.noise(type, seed: seed)], size: batchSize).batches
      .map { .resident(try executor.keep($0.data[0])) }
  }

  /// The first sample of a micro-batch that holds NaN or an infinity, counted over all samples.
  func nonFiniteSample(batch: Int) -> (array: Int, sample: Int)? {
    for (array, tensor) in batches[batch].data.enumerated() where tensor.element.isFloating {
      if let index = tensor.doubles.firstIndex(where: { !$0.isFinite }) {
        let row = tensor.shape.removing([0]).count
        return (array, batch * batchSize + index / row)
      }
    }
    return nil
  }

  /// Adds to the operations spent, for runs that are driven from outside.
  public func count(_ operations: Double) { self.operations += operations }
}
