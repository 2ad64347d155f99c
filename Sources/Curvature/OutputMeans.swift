import LinearMaps
import TensorPrograms

/// The loss at a point together with means over all samples of what outputs and data make: one forward run.
///
/// Compiled once for each size of a micro-batch.
public final class OutputMeans<Scalar: LinearMapScalar> {
  public typealias Make = @Sendable (_ outputs: Traced, _ data: [Traced]) -> [Traced]

  private let objective: Objective<Scalar>
  private let composite: LossDefinition.Composite
  private let make: Make
  private var executables: [Int: any Executable] = [:]

  /// Nil for a loss without a model output.
  ///
  /// - Parameter make: scalars, each the mean over the samples of its batch.
  public init?(_ objective: Objective<Scalar>, _ make: @escaping Make) {
    guard let composite = objective.definition.composite else { return nil }
    self.objective = objective
    self.composite = composite
    self.make = make
  }

  /// - Throws: what tracing, compiling and running throw.
  public func callAsFunction(at point: [Scalar]) throws -> (loss: Double, means: [Double]) {
    var total: [Double] = []
    for batch in 0..<objective.batchCount {
      let data = objective.keptData(batch: batch)
      let executable = try executable(data.map(\.type))
      objective.count(executable.program.operationCount)
      var point = point
      let results = try point.withUnsafeMutableBufferPointer { flat in
        try executable.run(
          objective.layout.views(flat.baseAddress!).arguments + data,
          into: executable.program.outputs.map { _ in .tensor }
        ).map { try $0.tensor().scalarValue }
      }
      let weight = objective.weight(batch)
      if total.isEmpty { total = [Double](repeating: 0, count: results.count) }
      for (index, value) in results.enumerated() { total[index] += weight * value }
    }
    return (total[0], Array(total.dropFirst()))
  }

  private func executable(_ data: [TensorType]) throws -> any Executable {
    let count = data.first?.shape.dimensions.first ?? 1
    if let known = executables[count] { return known }
    let parameters = objective.definition.parameters.count
    let program = try Program.trace(
      objective.definition.parameterTypes(Scalar.element) + data
    ) { [composite, make] arguments in
      let (values, data) = (
        Array(arguments.prefix(parameters)), Array(arguments.dropFirst(parameters))
      )
      let outputs = composite.model(values, data)
      let loss = composite.loss(outputs, data)
      return [composite.penalty.map { loss + $0(values) } ?? loss] + make(outputs, data)
    }.simplified()
    let compiled = try objective.executor.compile(program)
    executables[count] = compiled
    return compiled
  }
}
