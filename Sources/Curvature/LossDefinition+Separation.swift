import LinearMaps
import TensorPrograms

extension LossDefinition {
  /// Whether the loss of two samples is the mean of each one's, so that the samples may be cut into
  /// batches: not under the batch's own statistics, nor where the leading axis is not that of the samples.
  ///
  /// It is measured on the first and the last sample; a loss that takes no such batch counts as whole.
  package func separatesSamples<Scalar: LinearMapScalar>(
    _ data: [Tensor], at point: [Scalar], executor: any Executor
  ) throws -> Bool {
    let count = data.first?.shape.dimensions.first ?? 1
    guard count > 1, data.allSatisfy({ $0.shape.dimensions.first == count }) else { return false }
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
    let both: Double
    let apart: [Double]
    do {
      both = try loss([0, count - 1])
      apart = try [loss([0]), loss([count - 1])]
    } catch is ProgramError {
      return false
    }
    // Where the loss is not finite, another measurement says so.
    guard both.isFinite, apart.allSatisfy(\.isFinite) else { return true }
    let scale = abs(both) + abs(apart[0]) + abs(apart[1])
    let rounding = Double(Scalar.ulpOfOne).squareRoot()
    return abs(both - (apart[0] + apart[1]) / 2) <= rounding * scale
  }
}
