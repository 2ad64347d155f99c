import Curvature
import LinearMaps
import TensorPrograms

/// The steps of a run, compiled and bound to its memory once.
final class PreparedSteps<Scalar: LinearMapScalar> {
  /// Floating-point operations of one step, of the largest batch where steps differ; without those of a
  /// gradient that is a run of its own, which the loss counts.
  let operations: Double
  let equations: Int
  /// Whether the optimizer takes the gradient at another point than the parameters.
  let isGradientElsewhere: Bool
  /// Takes the step from one copy to the other, after the probe that it needs.
  private let take: (_ copy: Int, _ step: Int) throws -> Void

  init(
    _ loss: any Loss<Scalar>, _ traced: TracedStep, _ source: GradientSource<Scalar>,
    _ memory: TrainingMemory<Scalar>
  ) throws {
    let point = try traced.point()
    isGradientElsewhere = point != nil
    let probing = try traced.optimizer.curvatureProbe.map {
      try DiagonalProbing($0, loss, memory, seed: traced.rules.probeSeed)
    }
    var prepared: Prepared
    switch source {
    case .allSamples:
      if let objective = loss.objective {
        prepared =
          try objective.batchCount == 1 && objective.holdsAllSamples
          ? Self.oneRun(objective, traced, memory, isElsewhere: point != nil)
          : Self.twoRuns(objective.executor, traced, point, memory) { position, _, gradient in
            try objective.valueAndGradient(at: position, into: gradient)
          }
      } else {
        prepared = try Self.twoRuns(loss.executor, traced, point, memory) { position, _, gradient in
          try memory.fill(gradient, with: loss.valueAndGradient(at: memory.numbers(position)))
        }
      }
    case .closure(let closure):
      prepared = try Self.twoRuns(loss.executor, traced, point, memory) {
        position, step, gradient in
        try memory.fill(gradient, with: closure(memory.numbers(position), step))
      }
    case .batches(let batches):
      guard let objective = loss.objective else {
        throw TrainingError.noBatches("it is no tensor program")
      }
      try Self.check(objective, batches, pieces: traced.rules.accumulation)
      prepared =
        traced.rules.accumulation > 1
        ? try Self.accumulatedRuns(objective, traced, point, memory, batches, probing)
        : try Self.batchRuns(
          objective, traced, memory, batches, isElsewhere: point != nil, probing)
    }
    if let probing, !Self.areBatches(source) {
      let take = prepared.2
      prepared.2 = { copy, step in
        probing.clear()
        if probing.isDue { try probing.fill(at: memory.copies[copy], step: step) }
        try take(copy, step)
      }
    }
    (operations, equations, take) = prepared
  }

  private static func areBatches(_ source: GradientSource<Scalar>) -> Bool {
    if case .batches = source { true } else { false }
  }

  func run(from copy: Int, step: Int) throws { try take(copy, step) }

  typealias Prepared = (Double, Int, (_ copy: Int, _ step: Int) throws -> Void)

  /// What a whole step writes.
  private static func outputs(
    _ memory: TrainingMemory<Scalar>, _ copy: Int, isElsewhere: Bool
  ) -> [TensorView] {
    memory.report + (isElsewhere ? memory.pointViews : []) + memory.block(copy)
  }

  /// Loss, gradient and update in one run over all samples.
  private static func oneRun(
    _ objective: Objective<Scalar>, _ traced: TracedStep, _ memory: TrainingMemory<Scalar>,
    isElsewhere: Bool
  ) throws -> Prepared {
    let gradient = try objective.gradientProgram(batch: 0)
    let step = try HoistedStep(
      traced.whole(gradient), data: objective.keptData(batch: 0), executor: objective.executor)
    let executable = try objective.executor.compile(step.program)
    let runs = try (0..<2).map { copy in
      try executable.prepare(
        step.before + (memory.block(copy) + memory.control).arguments + step.after,
        into: outputs(memory, 1 - copy, isElsewhere: isElsewhere))
    }
    return (
      step.program.operationCount, step.program.equations.count,
      { copy, _ in try runs[copy].run() }
    )
  }

  /// A gradient that comes from elsewhere, then the update.
  ///
  /// - Parameter before: what a step begins with.
  static func twoRuns(
    _ executor: any Executor, _ traced: TracedStep, _ point: Program?,
    _ memory: TrainingMemory<Scalar>, before: ((_ copy: Int, _ step: Int) throws -> Void)? = nil,
    gradient:
      @escaping (
        _ position: UnsafePointer<Scalar>, _ step: Int, _ gradient: UnsafeMutablePointer<Scalar>
      ) throws -> Double
  ) throws -> Prepared {
    let program = try traced.update()
    let executable = try executor.compile(program)
    let pointRuns = try point.map { point in
      let executable = try executor.compile(point)
      return try (0..<2).map {
        try executable.prepare(
          (memory.block($0) + memory.control).arguments, into: memory.pointViews)
      }
    }
    var found = [Scalar](repeating: 0, count: memory.parameterCount)
    return (
      program.operationCount + (point?.operationCount ?? 0),
      program.equations.count + (point?.equations.count ?? 0),
      { copy, step in
        try before?(copy, step)
        try pointRuns?[copy].run()
        let position = pointRuns == nil ? memory.copies[copy] : memory.gradientPoint
        try found.withUnsafeMutableBufferPointer { flat in
          memory.scalars[2] = Scalar(try gradient(position, step, flat.baseAddress!))
          _ = try executable.run(
            (memory.block(copy) + memory.control + [memory.loss]
              + memory.views(of: flat.baseAddress!)).arguments,
            into: ([memory.report[1]] + memory.block(1 - copy)).destinations)
        }
      }
    )
  }

  /// Loss, gradient and update in one run over some samples, which are copied to where the run reads.
  private static func batchRuns(
    _ objective: Objective<Scalar>, _ traced: TracedStep, _ memory: TrainingMemory<Scalar>,
    _ batches: Batches, isElsewhere: Bool, _ probing: DiagonalProbing<Scalar>?
  ) throws -> Prepared {
    let size = batches.size
    var order = BatchOrder(sampleCount: objective.sampleCount, batches)
    func sized(_ count: Int) throws -> SizedStep {
      let samples = BatchMemory(objective.data, count: count)
      let program = try traced.whole(objective.gradientProgram(samples: count))
      let executable = try objective.executor.compile(program)
      let runs = try (0..<2).map { copy in
        try executable.prepare(
          (memory.block(copy) + memory.control + samples.views).arguments,
          into: outputs(memory, 1 - copy, isElsewhere: isElsewhere))
      }
      return SizedStep(samples: samples, runs: runs, program: program)
    }
    let full = try sized(size)
    let last = try order.sizes.dropFirst().first.map(sized) ?? full
    return (
      full.program.operationCount, full.program.equations.count,
      { copy, step in
        let chosen = order.samples(of: step)
        let batch = chosen.count == size ? full : last
        batch.samples.fill(chosen)
        if let probing {
          probing.clear()
          if probing.isDue {
            try probing.fill(
              at: memory.copies[copy], step: step,
              [.init(count: chosen.count, data: batch.samples.views.arguments)], of: objective)
          }
        }
        try batch.runs[copy].run()
      }
    )
  }
}

/// A step over batches of one size.
private struct SizedStep {
  let samples: BatchMemory
  /// From copy 0 and from copy 1.
  let runs: [any PreparedRun]
  let program: Program
}
