import BenchmarkNetwork
import Curvature
import LinearMaps
import OnnxBackend

/// The questions of the conversation about spectra, each answered from the parameters on: linearised
/// anew, with the programs compiled before.
final class SpectrumQuestions {
  private let network: NetworkInputs
  private let objective: Objective<Float>

  init(_ network: NetworkInputs) throws {
    self.network = network
    // ONNX Runtime's threads spin between products; two pools would fight for the cores.
    LinearAlgebraThreads.set(1)
    objective = try Objective(
      network.definition, data: [network.inputs, network.labels], executor: OnnxExecutor())
    _ = try objective.hessian(at: network.parameters)(network.parameters)
  }

  /// The answer without its seconds; nil for a question that is none.
  func answer(_ words: [String]) throws -> Answer? {
    let numbers = words.dropFirst().compactMap { Double($0) }
    guard let seed = numbers.last.map({ UInt64($0) }), numbers.count == words.count - 1 else {
      return nil
    }
    switch (words[0], numbers.count) {
    case ("largest", 2):
      return try eigenpairs(.largest, tolerance: numbers[0], seed: seed)
    case ("bound", 2):
      return try eigenpairs(
        .largest, tolerance: numbers[0], boundTolerance: numbers[0], seed: seed)
    case ("top", 3):
      return try eigenpairs(
        .largest, count: Int(numbers[0]), tolerance: numbers[1], seed: seed)
    case ("smallest", 2):
      return try eigenpairs(.smallest, tolerance: numbers[0], seed: seed)
    case ("both", 2):
      return try eigenpairs(.both, tolerance: numbers[0], seed: seed)
    default: return nil
    }
  }

  private func eigenpairs(
    _ end: TopEigenpairs<Float>.End, count: Int = 1, tolerance: Double,
    boundTolerance: Double? = nil, seed: UInt64
  ) throws -> Answer {
    var options = TopEigenpairs<Float>.Options()
    options.end = end
    options.count = count
    options.tolerance = tolerance
    options.boundTolerance = boundTolerance
    options.seed = seed
    let found = try TopEigenpairs(of: objective.hessian(at: network.parameters), options: options)
    let pairs = found.largest + found.smallest
    return Answer(
      products: found.convergence.operatorApplications, values: pairs.map(\.value),
      residuals: pairs.map { $0.residual / found.scale },
      bound: found.upperBound, reason: found.convergence.reason.rawValue)
  }
}
