import Curvature
import LinearMaps
import TensorPrograms

extension PreparedSteps {
  /// Steps over batches whose gradient is the weighted mean of those of parts, computed one after another: what a
  /// whole batch has no memory for.
  static func partRuns(
    _ objective: Objective<Scalar>, _ traced: TracedStep, _ memory: TrainingMemory<Scalar>,
    _ batches: Batches
  ) throws -> Prepared {
    let largest = max(1, batches.size / batches.parts)
    var order = BatchOrder(sampleCount: objective.sampleCount, batches)
    var known: [Int: PartGradient<Scalar>] = [:]
    func part(_ count: Int) throws -> PartGradient<Scalar> {
      if let part = known[count] { return part }
      let part = try PartGradient(objective, memory, count: count)
      known[count] = part
      return part
    }
    _ = try part(largest)
    return try twoRuns(objective.executor, traced, traced.point(), memory) {
      position, step, gradient in
      let chosen = order.samples(of: step)
      gradient.update(repeating: 0, count: memory.parameterCount)
      var loss = 0.0
      for start in stride(from: chosen.startIndex, to: chosen.endIndex, by: largest) {
        let samples = chosen[start..<min(start + largest, chosen.endIndex)]
        let weight = Double(samples.count) / Double(chosen.count)
        loss +=
          try weight
          * part(samples.count).add(samples, at: position, times: Scalar(weight), to: gradient)
      }
      return loss
    }
  }
}

/// Loss and gradient of batches of one size.
private final class PartGradient<Scalar: LinearMapScalar> {
  private let executable: any Executable
  private let samples: BatchMemory
  private let memory: TrainingMemory<Scalar>
  private let objective: Objective<Scalar>
  private var found: [Scalar]

  init(_ objective: Objective<Scalar>, _ memory: TrainingMemory<Scalar>, count: Int) throws {
    executable = try objective.executor.compile(objective.gradientProgram(samples: count))
    samples = BatchMemory(objective.data, count: count)
    self.memory = memory
    self.objective = objective
    found = [Scalar](repeating: 0, count: memory.parameterCount)
  }

  /// - Returns: the loss.
  func add(
    _ chosen: ArraySlice<Int>, at position: UnsafePointer<Scalar>, times weight: Scalar,
    to gradient: UnsafeMutablePointer<Scalar>
  ) throws -> Double {
    samples.fill(chosen)
    objective.count(executable.program.operationCount)
    return try found.withUnsafeMutableBufferPointer { flat in
      let point = memory.views(of: UnsafeMutablePointer(mutating: position))
      let results = try executable.run(
        point.arguments + samples.views.arguments,
        into: [.tensor] + memory.views(of: flat.baseAddress!).destinations)
      for index in flat.indices { gradient[index] += weight * flat[index] }
      return try results[0].tensor().scalarValue
    }
  }
}
