import LinearMaps
import TensorPrograms

/// The mean losses and gradients of some of an objective's samples, so many at a time, by one compiled program.
package struct SampleGradients<Scalar: LinearMapScalar> {
  /// Samples of each.
  package let size: Int
  private let objective: Objective<Scalar>
  private let executable: any Executable

  /// An executor that keeps what it compiled compiles equal programs once.
  ///
  /// - Precondition: `size` is the model's own, where it takes one alone.
  /// - Throws: what tracing and compiling throw.
  package init(_ objective: Objective<Scalar>, size: Int) throws {
    self.objective = objective
    self.size = size
    executable = try objective.executor.compile(objective.gradientProgram(samples: size))
  }

  /// Operations of one, for `Objective.count`.
  package var operations: Double { executable.program.operationCount }

  /// - Precondition: `size` samples are chosen.
  /// - Throws: what the executor throws.
  package func callAsFunction(
    _ chosen: [Int], at point: [Scalar]
  ) throws -> (loss: Double, gradient: [Scalar]) {
    let layout = objective.layout
    let data = objective.data.map { Argument.tensor($0.samples(at: chosen)) }
    var loss = Double.nan
    let gradient = try [Scalar](unsafeUninitializedCapacity: point.count) { buffer, filled in
      let results = try point.withUnsafeBufferPointer {
        try executable.run(
          layout.views($0.baseAddress!).arguments + data,
          into: [.tensor] + layout.views(UnsafePointer(buffer.baseAddress!)).destinations)
      }
      loss = try results[0].tensor().scalarValue
      filled = point.count
    }
    return (loss, gradient)
  }
}
