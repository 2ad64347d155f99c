import BenchmarkNetwork
import Curvature
import LinearMaps
import OnnxBackend

/// The questions of the conversation about spectra, each answered from the parameters on:
/// linearised anew, with the programs compiled at the first question.
final class SpectrumQuestions {
  private let network: NetworkInputs
  private var memory = MemoryStages()
  private lazy var objective = Result { try Self.objective(network) }

  init(_ network: NetworkInputs) {
    self.network = network
    // ONNX Runtime's threads spin between products; two pools would fight for the cores.
    LinearAlgebraThreads.set(1)
    memory.note("model and data read")
  }

  private static func objective(
    _ network: NetworkInputs, memoryBudget: Int = 2 << 30
  ) throws -> Objective<Float> {
    try Objective(
      network.definition, data: [network.inputs, network.labels], executor: OnnxExecutor(),
      memoryBudget: memoryBudget)
  }

  /// The answer without its seconds; nil for a question that is none.
  func answer(_ words: [String]) throws -> Answer? {
    let numbers = words.dropFirst().compactMap { Double($0) }
    guard let seed = numbers.last.map({ UInt64($0) }), numbers.count == words.count - 1 else {
      return nil
    }
    var options = TopEigenpairs<Float>.Options()
    options.boundTolerance = nil
    options.seed = seed
    switch (words[0], numbers.count) {
    case ("largest", 2):
      options.tolerance = numbers[0]
    case ("bound", 2):
      options.tolerance = numbers[0]
      options.boundTolerance = numbers[0]
    case ("top", 3):
      options.count = Int(numbers[0])
      options.tolerance = numbers[1]
    case ("smallest", 2):
      return try smallest(tolerance: numbers[0], seed: seed)
    case ("both", 2):
      options.end = .both
      options.tolerance = numbers[0]
    case ("density", 2):
      return try density(error: numbers[0], seed: seed)
    case ("memory", 4):
      options.count = Int(numbers[1])
      options.tolerance = numbers[2]
      return try inMemory(of: Int(numbers[0]), options)
    default: return nil
    }
    return try eigenpairs(of: objective.get().hessian(at: network.parameters), options)
  }

  private func eigenpairs(
    of map: CurvatureMap<Float>, _ options: TopEigenpairs<Float>.Options
  ) throws -> Answer {
    let found = try TopEigenpairs(of: map, options: options)
    let pairs = found.largest + found.smallest
    return Answer(
      products: found.convergence.operatorApplications, values: pairs.map(\.value),
      residuals: pairs.map { $0.residual / found.scale },
      bound: found.upperBound, reason: found.convergence.reason.rawValue)
  }

  private func smallest(tolerance: Double, seed: UInt64) throws -> Answer {
    var options = SmallestEigenpairs<Float>.Options()
    options.tolerance = tolerance
    options.boundTolerance = nil
    options.seed = seed
    let map = try objective.get().hessian(at: network.parameters)
    let found = try SmallestEigenpairs(of: map, options: options)
    return Answer(
      products: found.convergence.operatorApplications, values: found.pairs.map(\.value),
      residuals: found.pairs.map { $0.residual / found.scale },
      reason: found.convergence.reason.rawValue)
  }

  private func density(error: Double, seed: UInt64) throws -> Answer {
    var options = SpectralDensity.Options()
    options.error = error
    options.maxApplications = 20_000
    options.seed = seed
    let map = try objective.get().hessian(at: network.parameters)
    let found = try SpectralDensity(of: map, options: options)
    return Answer(
      products: found.operatorApplications, reason: found.convergence.reason.rawValue,
      nodes: [found.nodes], weights: [found.weights], error: found.wassersteinBound)
  }

  /// The same within so many bytes beside model and data, half of them for the basis; to be
  /// the first question of its process.
  private func inMemory(
    of bytes: Int, _ options: TopEigenpairs<Float>.Options
  ) throws -> Answer {
    var options = options
    let objective = try Self.objective(network, memoryBudget: bytes / 2)
    memory.note("programs differentiated, data kept")
    let map = try objective.hessian(at: network.parameters)
    let columns = bytes / 2 / (MemoryLayout<Float>.size * map.dimension)
    // A start and the vectors of the answer are held beside the basis.
    options.maxBasisColumns = max(1, columns - options.count - 2)
    memory.note("linearised")
    _ = try map(network.parameters)
    memory.note("first product")
    var answer = try eigenpairs(of: map, options)
    memory.note("solved")
    answer.memory = memory.stages
    return answer
  }
}
