import Curvature
import LinearMaps
import TensorPrograms

/// Lanes whose steps are one run of one program: the training step under `vmap` over parameters, state and
/// rate. All of them see the same samples, which are copied once, and whose products with the first layers
/// of all lanes are one matrix product.
final class SharedLanes<Scalar: LinearMapScalar>: LaneChunk {
  let laneCount: Int
  private let memory: LaneMemory<Scalar>
  private let take: (_ copy: Int, _ step: Int) throws -> Void
  private let operations: Double
  private let objective: Objective<Scalar>
  private var current = 0
  private var stepCount = 0

  /// - Precondition: `LaneProgram.isShareable` for the loss, and all lanes have the same batches.
  init(
    _ objective: Objective<Scalar>, _ program: LaneProgram, _ lanes: [SweepLane<Scalar>]
  ) throws {
    self.objective = objective
    laneCount = lanes.count
    let traced = program.traced
    let memory = LaneMemory<Scalar>(
      traced.parameterTypes, program.stateTensors, lanes: lanes.map(\.start))
    self.memory = memory
    if let batches = lanes[0].batches {
      var order = BatchOrder(sampleCount: objective.sampleCount, batches)
      func sized(_ count: Int) throws -> (samples: BatchMemory, runs: [any PreparedRun]) {
        let samples = BatchMemory(objective.data, count: count)
        let step = try program.step(
          objective.gradientProgram(samples: count), lanes: lanes.count)
        let executable = try objective.executor.compile(step)
        let runs = try (0..<2).map { copy in
          try executable.prepare(
            (memory.inputs(copy) + samples.views).arguments, into: memory.outputs(step, 1 - copy))
        }
        return (samples, runs)
      }
      let full = try sized(batches.size)
      let last = try order.sizes.dropFirst().first.map(sized) ?? full
      operations = try program.step(
        objective.gradientProgram(samples: batches.size), lanes: lanes.count
      ).operationCount
      take = { copy, step in
        let chosen = order.samples(of: step)
        let batch = chosen.count == batches.size ? full : last
        batch.samples.fill(chosen)
        try batch.runs[copy].run()
      }
    } else {
      let data = objective.keptData(batch: 0)
      let whole = try program.step(objective.gradientProgram(batch: 0), lanes: lanes.count)
      // What depends on the data alone is computed once for all steps and lanes.
      let hoisted = try HoistedStep(whole, data: data, executor: objective.executor)
      operations = hoisted.program.operationCount
      let executable = try objective.executor.compile(hoisted.program)
      let runs = try (0..<2).map { copy in
        try executable.prepare(
          hoisted.before + memory.inputs(copy).arguments + hoisted.after,
          into: memory.outputs(whole, 1 - copy))
      }
      take = { copy, _ in try runs[copy].run() }
    }
  }

  func step(_ rates: [Double]) throws -> [(loss: Double, gradientNorm: Double)] {
    memory.setRates(rates, step: stepCount + 1)
    try take(current, stepCount)
    objective.count(operations)
    current = 1 - current
    stepCount += 1
    return memory.reports
  }

  func parameters(of lane: Int, beforeLastStep: Bool) -> [Scalar] {
    memory.parameters(of: lane, copy: beforeLastStep ? 1 - current : current)
  }
}

/// Parameters and state of lanes in two copies, each tensor with its lanes one after the other.
final class LaneMemory<Scalar: LinearMapScalar> {
  private let lanes: Int
  private let parameterTypes: [TensorType]
  private let types: [TensorType]
  private let copies: [UnsafeMutablePointer<Scalar>]
  /// Rates, losses, gradient norms, one per lane each; then the number of the step.
  private let numbers: UnsafeMutablePointer<Scalar>
  /// Where gradients were taken, for an optimizer that takes them elsewhere.
  private let point: UnsafeMutablePointer<Scalar>

  init(_ parameterTypes: [TensorType], _ state: [StateTensor], lanes starts: [[Scalar]]) {
    let lanes = starts.count
    self.lanes = lanes
    self.parameterTypes = parameterTypes
    types =
      parameterTypes + state.map { TensorType(Scalar.element, $0.shape) }
    let perLane = types.reduce(0) { $0 + $1.shape.count }
    func made(_ count: Int) -> UnsafeMutablePointer<Scalar> {
      let memory = UnsafeMutablePointer<Scalar>.allocate(capacity: max(1, count))
      memory.initialize(repeating: 0, count: count)
      return memory
    }
    copies = (0..<2).map { _ in made(lanes * perLane) }
    numbers = made(3 * lanes + 1)
    point = made(lanes * parameterTypes.reduce(0) { $0 + $1.shape.count })
    for (lane, start) in starts.enumerated() {
      var offsets: [Int] = []
      var offset = 0
      for type in parameterTypes {
        offsets.append(offset)
        write(start[offset..<offset + type.shape.count], at: offset, lane)
        offset += type.shape.count
      }
      for tensor in state {
        let count = tensor.shape.count
        let values: ArraySlice<Scalar> =
          switch tensor.start {
          case .constant(let value): [Scalar](repeating: Scalar(value), count: count)[...]
          case .values(let values): values.map { Scalar($0) }[...]
          case .parameter(let index): start[offsets[index]..<offsets[index] + count]
          }
        write(values, at: offset, lane)
        offset += count
      }
    }
  }

  deinit {
    for copy in copies { copy.deallocate() }
    numbers.deallocate()
    point.deallocate()
  }

  /// Sets a tensor of one lane at the start.
  ///
  /// - Parameter offset: of the tensor in the flat vector of one lane.
  private func write(_ values: ArraySlice<Scalar>, at offset: Int, _ lane: Int) {
    for (index, value) in values.enumerated() {
      for copy in copies { copy[offset * lanes + lane * values.count + index] = value }
    }
  }

  private func views(
    _ types: [TensorType], _ base: UnsafeMutablePointer<Scalar>
  ) -> [TensorView] {
    var offset = 0
    return types.map { type in
      defer { offset += lanes * type.shape.count }
      return TensorView(
        base + offset, type: TensorType(type.element, type.shape.inserting(lanes, at: 0)))
    }
  }

  /// Parameters, state, rates, number of the step.
  func inputs(_ copy: Int) -> [TensorView] {
    let scalar = TensorType(Scalar.element, .scalar)
    return views(types, copies[copy])
      + views([scalar], numbers) + [TensorView(numbers + 3 * lanes, type: scalar)]
  }

  /// Where a step's results go.
  func outputs(_ program: Program, _ copy: Int) -> [TensorView] {
    let scalar = TensorType(Scalar.element, .scalar)
    let isElsewhere = program.outputs.count > 2 + types.count
    return views([scalar, scalar], numbers + lanes)
      + (isElsewhere ? views(parameterTypes, point) : []) + views(types, copies[copy])
  }

  func setRates(_ rates: [Double], step: Int) {
    for (lane, rate) in rates.enumerated() { numbers[lane] = Scalar(rate) }
    numbers[3 * lanes] = Scalar(step)
  }

  var reports: [(loss: Double, gradientNorm: Double)] {
    (0..<lanes).map {
      (Double(numbers[lanes + $0]), Double(numbers[2 * lanes + $0]))
    }
  }

  /// The flat parameters of one lane.
  func parameters(of lane: Int, copy: Int) -> [Scalar] {
    var offset = 0
    return parameterTypes.flatMap { type -> [Scalar] in
      let count = type.shape.count
      defer { offset += lanes * count }
      return Array(
        UnsafeBufferPointer(start: copies[copy] + offset + lane * count, count: count))
    }
  }
}
