import Curvature
import LinearMaps
import OnnxBackend
import TensorFiles
import TensorPrograms
import Testing

/// Loss, gradient and Hessian products of exported models against differentiating twice elsewhere.
@Suite struct GoldenModelTests {
  private func check<Scalar: LinearMapScalar>(
    _ model: GoldenModel, _: Scalar.Type, _ executor: any Executor, tolerance: Double,
    batchSize: Int? = nil
  ) throws {
    let golden = try NpzArchive(model.path(".golden.npz"))
    let (objective, start, names) = try model.objective(
      Scalar.self, executor: executor, batchSize: batchSize)
    let (loss, gradient) = try objective.valueAndGradient(at: start)
    let expected = try golden.tensor("loss").doubles[0]
    #expect(abs(loss - expected) <= tolerance * (1 + abs(expected)), "loss")
    let counts = objective.definition.parameters.map(\.shape.count)
    let direction = model.direction(counts).map { Scalar($0) }
    let product = try objective.hessian(at: start)(direction)
    for (kind, values) in [("gradient", gradient), ("product", product)] {
      let goldens = try names.map { try golden.tensor("\(kind)/\($0)").doubles }
      let size = goldens.joined().reduce(0) { max($0, abs($1)) }
      var worst = (error: 0.0, name: "")
      var offset = 0
      for (name, numbers) in zip(names, goldens) {
        for (index, number) in numbers.enumerated() {
          let error = abs(Double(values[offset + index]) - number) / size
          if !(error <= worst.error) { worst = (error, name) }
        }
        offset += numbers.count
      }
      #expect(worst.error <= tolerance, "\(kind) of \(worst.name)")
    }
  }

  @Test(arguments: GoldenModel.all) func inFloat32(_ model: GoldenModel) throws {
    try check(model, Float.self, OnnxExecutor(), tolerance: 1e-5)
  }

  @Test(arguments: GoldenModel.all) func inFloat64(_ model: GoldenModel) throws {
    try check(model, Double.self, OnnxExecutor(), tolerance: 1e-9)
  }

  @Test(arguments: GoldenModel.all) func byTheInterpreter(_ model: GoldenModel) throws {
    try check(model, Double.self, ReferenceExecutor(), tolerance: 1e-9)
  }

  /// Batches of other sizes than the exporter saw, and of unequal ones.
  @Test(arguments: GoldenModel.all.filter { $0.loss != nil && !$0.isTraining })
  func inMicroBatches(_ model: GoldenModel) throws {
    try check(model, Double.self, OnnxExecutor(), tolerance: 1e-9, batchSize: 2)
  }
}
