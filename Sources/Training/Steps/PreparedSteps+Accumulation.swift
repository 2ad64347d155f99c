import Curvature
import LinearMaps
import TensorPrograms

extension PreparedSteps {
  /// Refuses mini-batches that the loss cannot be cut into.
  ///
  /// - Throws: `TrainingError.noBatches`.
  static func check(
    _ objective: Objective<Scalar>, _ batches: Batches, pieces: Int
  ) throws {
    let size = batches.size
    guard objective.holdsAllSamples else {
      throw TrainingError.noBatches("other parties hold samples of it too")
    }
    guard !objective.definition.couplesSamples else {
      throw TrainingError.noBatches("a sample's loss depends on the others")
    }
    guard size >= 1, size <= objective.sampleCount else {
      throw TrainingError.noBatches("\(size) of \(objective.sampleCount) samples were asked for")
    }
    guard pieces >= 1, pieces <= size else {
      throw TrainingError.noBatches(
        "a batch of \(size) samples cannot be gathered from \(pieces) smaller ones")
    }
    if let fixed = objective.definition.fixedBatch, fixed * pieces != size {
      throw TrainingError.noBatches("the model takes batches of \(fixed) alone, and not of \(size)")
    }
  }

  /// Gradients of the pieces of a batch one after the other, added up, then the update: the step of the whole
  /// batch in the memory of a piece.
  static func accumulatedRuns(
    _ objective: Objective<Scalar>, _ traced: TracedStep, _ point: Program?,
    _ memory: TrainingMemory<Scalar>, _ batches: Batches, _ probing: DiagonalProbing<Scalar>?
  ) throws -> Prepared {
    let pieces = PiecewiseGradient(
      objective, memory, size: (batches.size - 1) / traced.rules.accumulation + 1)
    var order = BatchOrder(sampleCount: objective.sampleCount, batches)
    return try twoRuns(
      objective.executor, traced, point, memory,
      before: { copy, step in
        pieces.choose(order.samples(of: step))
        guard let probing else { return }
        probing.clear()
        if probing.isDue {
          try probing.fill(
            at: memory.copies[copy], step: step, pieces.all(), of: objective)
        }
      }
    ) { position, _, gradient in
      try pieces.valueAndGradient(at: position, into: gradient)
    }
  }
}

/// The mean loss and gradient of some samples, a piece at a time.
private final class PiecewiseGradient<Scalar: LinearMapScalar> {
  private let objective: Objective<Scalar>
  private let memory: TrainingMemory<Scalar>
  private let size: Int
  private var chosen: [ArraySlice<Int>] = []
  private var part: [Scalar]
  /// By number of samples.
  private var executables: [Int: any Executable] = [:]
  private var samples: [Int: BatchMemory] = [:]

  init(_ objective: Objective<Scalar>, _ memory: TrainingMemory<Scalar>, size: Int) {
    self.objective = objective
    self.memory = memory
    self.size = size
    part = [Scalar](repeating: 0, count: memory.parameterCount)
  }

  func choose(_ samples: ArraySlice<Int>) {
    chosen = stride(from: samples.startIndex, to: samples.endIndex, by: size).map {
      samples[$0..<min(samples.endIndex, $0 + size)]
    }
  }

  private func filled(_ piece: ArraySlice<Int>) -> BatchMemory {
    let memory = samples[piece.count] ?? BatchMemory(objective.data, count: piece.count)
    samples[piece.count] = memory
    memory.fill(piece)
    return memory
  }

  /// The pieces as data of their own, for a probe over all of them.
  func all() -> [DiagonalProbing<Scalar>.Piece] {
    chosen.map { piece in
      .init(
        count: piece.count, data: filled(piece).views.map { Argument.tensor($0.copied()) })
    }
  }

  func valueAndGradient(
    at position: UnsafePointer<Scalar>, into gradient: UnsafeMutablePointer<Scalar>
  ) throws -> Double {
    let total = Double(chosen.reduce(0) { $0 + $1.count })
    gradient.update(repeating: 0, count: memory.parameterCount)
    var value = 0.0
    for piece in chosen {
      let executable = try executables[piece.count] ?? make(piece.count)
      let weight = Double(piece.count) / total
      objective.count(executable.program.operationCount)
      let results = try part.withUnsafeMutableBufferPointer {
        try executable.run(
          (memory.views(of: UnsafeMutablePointer(mutating: position)) + filled(piece).views)
            .arguments, into: [.tensor] + memory.views(of: $0.baseAddress!).destinations)
      }
      value += weight * (try results[0].tensor().scalarValue)
      Scalar.axpy(memory.parameterCount, Scalar(weight), part, gradient)
    }
    return value
  }

  private func make(_ count: Int) throws -> any Executable {
    let made = try objective.executor.compile(objective.gradientProgram(samples: count))
    executables[count] = made
    return made
  }
}
