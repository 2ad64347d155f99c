import LinearMaps
import TensorPrograms

extension LossDefinition {
  /// Whether the loss of samples is the mean of each one's, so that the samples may be cut into
  /// batches: not under the batch's own statistics, nor where the leading axis is not that of the samples.
  ///
  /// It is measured on three samples, beside the point, since at the point itself the outputs may be
  /// constant (as under a last layer of zeros); a loss that takes no such batch counts as whole.
  package func separatesSamples<Scalar: LinearMapScalar>(
    _ data: [Tensor], at point: [Scalar], executor: any Executor
  ) throws -> Bool {
    let count = data.first?.shape.dimensions.first ?? 1
    guard count > 1, data.allSatisfy({ $0.shape.dimensions.first == count }) else { return false }
    var generator = SeededGenerator(seed: 0)
    let point = point.map { $0 + 0.05 * Scalar(generator.nextNormal()) }
    let samples = Array(Set([0, count / 2, count - 1])).sorted()
    let layout = ParameterLayout(parameterTypes(Scalar.element))
    func loss(_ samples: [Int]) throws -> Double {
      let batch = data.map { $0.samples(at: samples) }
      let program = try program(dataTypes: batch.map(\.type), element: Scalar.element).simplified()
      return try point.withUnsafeBufferPointer {
        try executor.compile(program).run(
          layout.views($0.baseAddress!).arguments + batch.map { .tensor($0) }, into: [.tensor])[0]
          .tensor().scalarValue
      }
    }
    let together: Double
    let apart: [Double]
    do {
      together = try loss(samples)
      apart = try samples.map { try loss([$0]) }
    } catch is ProgramError {
      return false
    }
    // Where the loss is not finite, another measurement says so.
    guard together.isFinite, apart.allSatisfy(\.isFinite) else { return true }
    let scale = apart.reduce(abs(together)) { $0 + abs($1) }
    let rounding = Double(Scalar.ulpOfOne).squareRoot()
    let mean = apart.reduce(0, +) / Double(apart.count)
    return abs(together - mean) <= rounding * scale
  }
}
