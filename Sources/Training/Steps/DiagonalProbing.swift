import Curvature
import LinearMaps
import TensorPrograms

/// Fills a run's memory with the estimates of the curvature's diagonal that its optimizer asks for.
///
/// What is drawn depends on the seed and the step alone, so that a resumed run draws the same.
final class DiagonalProbing<Scalar: LinearMapScalar> {
  /// Samples that a probe is of, as data of a run.
  struct Piece {
    var count: Int
    var data: [Argument]
  }

  let probe: CurvatureProbe
  private let loss: any Loss<Scalar>
  private let memory: TrainingMemory<Scalar>
  private let seed: UInt64
  /// By number of samples.
  private var executables: [Int: any Executable] = [:]
  private var isZero = true

  /// - Throws: `TrainingError` where the loss has no targets to draw.
  init(
    _ probe: CurvatureProbe, _ loss: any Loss<Scalar>, _ memory: TrainingMemory<Scalar>,
    seed: UInt64
  ) throws {
    self.probe = probe
    self.loss = loss
    self.memory = memory
    self.seed = seed
    if case .gaussNewton = probe {
      guard let objective = loss.objective, objective.holdsAllSamples else {
        throw TrainingError.noProbe(
          loss.objective == nil ? "it is no tensor program" : "other parties hold samples of it too"
        )
      }
      do { _ = try objective.sampledWeight(samples: 1) } catch CurvatureError.noModelOutput {
        throw TrainingError.noProbe("it has no model output")
      } catch CurvatureError.noDistribution {
        throw TrainingError.noProbe("it is the likelihood of none that is known")
      }
    }
  }

  var isDue: Bool { memory.updates % probe.period == 0 }

  /// No probe in this step.
  func clear() {
    memory.scalars[4] = 0
    guard !isZero else { return }
    memory.probe.update(repeating: 0, count: memory.parameterCount)
    isZero = true
  }

  /// A probe over all samples of the loss.
  func fill(at position: UnsafePointer<Scalar>, step: Int) throws {
    if case .gaussNewton = probe, let objective = loss.objective {
      let pieces = objective.batchCounts.enumerated().map {
        Piece(count: $1, data: objective.keptData(batch: $0))
      }
      return try fill(at: position, step: step, pieces, of: objective)
    }
    let signs = signs(step)
    var product = signs
    do {
      let map = try loss.hessian(at: memory.numbers(position))
      try signs.withUnsafeBufferPointer { x in
        try product.withUnsafeMutableBufferPointer { y in
          try map.apply(x.baseAddress!, into: y.baseAddress!)
        }
      }
    } catch let error where error.isNonFinite {
      // As a gradient that is not finite, it ends the run by the loss that it leads to.
      product = [Scalar](repeating: .nan, count: signs.count)
    }
    product.withUnsafeBufferPointer {
      memory.probe.update(from: $0.baseAddress!, count: $0.count)
    }
    multiply(signs.count, memory.probe, by: signs, times: 1)
    finish()
  }

  /// A probe over the samples of all pieces.
  func fill(
    at position: UnsafePointer<Scalar>, step: Int, _ pieces: [Piece],
    of objective: Objective<Scalar>
  ) throws {
    let total = pieces.reduce(0) { $0 + $1.count }
    let point = memory.views(of: UnsafeMutablePointer(mutating: position)).arguments
    var signs = signs(step)
    var part = [Scalar](repeating: 0, count: memory.parameterCount)
    memory.probe.update(repeating: 0, count: memory.parameterCount)
    for (index, piece) in pieces.enumerated() {
      let executable = try executable(piece.count, objective)
      objective.count(executable.program.operationCount)
      try part.withUnsafeMutableBufferPointer { part in
        let results = memory.views(of: part.baseAddress!).destinations
        if case .hutchinson = probe {
          _ = try signs.withUnsafeMutableBufferPointer {
            try executable.run(
              point + piece.data + memory.views(of: $0.baseAddress!).arguments, into: results)
          }
        } else {
          let noise = try objective.targetNoise(
            samples: piece.count, seed: mixed(step, UInt64(index)))
          _ = try executable.run(point + piece.data + [.tensor(noise)], into: results)
        }
      }
      Scalar.axpy(
        memory.parameterCount, Scalar(Double(piece.count) / Double(total)), part, memory.probe)
    }
    if case .gaussNewton = probe {
      let weight = Scalar(try objective.sampledWeight(samples: total))
      multiply(memory.parameterCount, memory.probe, by: memory.probe, times: weight)
    }
    finish()
  }

  private func finish() {
    memory.scalars[4] = 1
    isZero = false
  }

  private func executable(_ count: Int, _ objective: Objective<Scalar>) throws -> any Executable {
    if let known = executables[count] { return known }
    let program =
      if case .hutchinson = probe {
        try objective.hessianProbe(samples: count)
      } else {
        try objective.sampledGradient(samples: count)
      }
    let made = try objective.executor.compile(program)
    executables[count] = made
    return made
  }

  private func mixed(_ step: Int, _ piece: UInt64) -> UInt64 {
    seed ^ UInt64(bitPattern: Int64(step)) &* 0x9FB2_1C65_1E98_DF25
      ^ piece &* 0xD6E8_FEB8_6659_FD93
  }

  private func signs(_ step: Int) -> [Scalar] {
    var generator = SeededGenerator(seed: mixed(step, 0))
    return generator.rademacher(memory.parameterCount)
  }
}
