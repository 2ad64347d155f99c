import Curvature
import Labs
import OnnxBackend
import Testing
import Training

/// Runs that are repeated come to the same bits: no sum depends on where an array happens to lie, on the order of a
/// dictionary, or on what other threads do.
@Suite struct MethodRepetitionTests {
  @Test(arguments: MethodCatalogue.all.map(\.name))
  func `twenty runs are one`(_ name: String) throws {
    var problem = PINNProblem.bar
    // 97 parameters: a matrix of so many rows is multiplied on all threads.
    problem.network = TanhNetwork([1, 8, 8, 1])
    let executor = try OnnxExecutor()
    let loss: Objective<Double> = try problem.objective(executor)
    let method = try MethodCatalogue.entry(name).make()
    var first: [Double] = []
    // Arrays between two runs, so that theirs lie elsewhere.
    var between: [[Double]] = []
    for repetition in 0..<20 {
      between.append([Double](repeating: 1, count: 3 + 7 * repetition))
      let run = try method.start(loss, from: problem.start(seed: 3))
      for _ in 0..<6 { if try run.step().ending != nil { break } }
      if repetition == 0 { first = run.parameters }
      #expect(run.parameters == first, "\(name), repetition \(repetition)")
    }
    #expect(first != problem.start(seed: 3) && between.count == 20)
  }
}
