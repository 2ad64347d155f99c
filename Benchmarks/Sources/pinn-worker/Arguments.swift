import Foundation
import Labs
import Training

/// What the command line asks for.
struct Arguments {
  var problem: PINNProblem
  var method: any IterativeMethod
  var iterations: Int
  var seed: UInt64
  /// Steps of Adam that come first, and their rate.
  var adam: (steps: Int, rate: Double)?
  /// What the first layer's weights of the last coordinate, the time, are multiplied by at the start.
  var timeScale = 1.0
  var threads: Int
  /// Iterations from one line to the next.
  var every: Int?

  static let usage =
    "usage: pinn-worker PROBLEM METHOD ITERATIONS SEED [--adam STEPS RATE] [--width W] [--refine F] "
    + "[--time-scale S] [--threads N] [--every K]"

  /// - Throws: `CatalogueError` for an unknown method. Leaves with 64 for anything else that is wrong.
  init(_ arguments: [String]) throws {
    var words = arguments
    func option(_ name: String, _ count: Int) -> [Double]? {
      guard let index = words.firstIndex(of: name) else { return nil }
      let values = words.dropFirst(index + 1).prefix(count).compactMap { Double($0) }
      guard values.count == count else { fail("\(name) takes \(count) numbers") }
      words.removeSubrange(index...index + count)
      return values
    }
    adam = option("--adam", 2).map { (Int($0[0]), $0[1]) }
    let refinement = option("--refine", 1).map { Int($0[0]) }
    let width = option("--width", 1).map { Int($0[0]) }
    timeScale = option("--time-scale", 1)?[0] ?? 1
    threads =
      option("--threads", 1).map { Int($0[0]) } ?? ProcessInfo.processInfo.activeProcessorCount
    every = option("--every", 1).map { Int($0[0]) }
    guard words.count == 4, let iterations = Int(words[2]), let seed = UInt64(words[3]) else {
      fail(Self.usage)
    }
    guard let named = PINNProblem.all.first(where: { $0.name == words[0] }) else {
      fail("no problem \(words[0]): \(PINNProblem.all.map(\.name).joined(separator: ", "))")
    }
    problem = refinement.map { named.refined($0) } ?? named
    if let width {
      let layers = named.network.layers
      problem.network = TanhNetwork(
        layers.indices.map { $0 == 0 || $0 == layers.count - 1 ? layers[$0] : width })
    }
    method = try MethodCatalogue.entry(words[1]).make(["tolerance": 0])
    self.iterations = iterations
    self.seed = seed
  }

  var start: [Double] {
    var start: [Double] = problem.start(seed: seed)
    let layers = problem.network.layers
    for index in (layers[0] - 1) * layers[1]..<layers[0] * layers[1] { start[index] *= timeScale }
    return start
  }
}

private func fail(_ sentence: String) -> Never {
  FileHandle.standardError.write(Data((sentence + "\n").utf8))
  exit(64)
}
