import Curvature
import Diagnosis
import Foundation
import TensorPrograms
import Training

/// A small ordinary table with a model on it, or a matrix factorisation, the same for the same number; and a
/// rate as a multiple of the limit. As a file and options, too, for a program to be asked.
struct SeededProblem {
  let index: Int
  let rows: [[Double]]
  /// Numbers, or 0 and up for classes.
  let target: [Double]
  let classes: Int?
  let model: String
  /// Of the limit at the start, from 0.1 to 3.
  let timesLimit: Double
  let optimizer: String
  let hasIntercept: Bool
  let reduction: LossReduction
  /// The matrices' rank, where it is a factorisation of the rows.
  let rank: Int?

  init(_ index: Int) {
    self.index = index
    var random = SeededGenerator(seed: 0x5E27_E9CE &+ UInt64(index))
    timesLimit = 0.1 * pow(30, random.uniform())
    optimizer = index % 8 == 7 ? "momentum" : "gd"
    hasIntercept = index % 6 != 5
    reduction = index % 9 == 8 ? .sum : .mean
    let samples = random.whole(12, 60)
    let columns = random.whole(1, 5)
    rank = index % 5 == 4 ? random.whole(1, 3) : nil
    let scales = (0..<columns).map { _ in random.chance(0.5) ? 1 : random.decade(-1, 1.5) }
    let means = (0..<columns).map { _ in random.chance(0.5) ? 0 : 2 * random.normal() }
    let size = random.chance(0.6) ? 1 : random.decade(0, 1.5)
    var rows: [[Double]] = []
    var sums: [Double] = []
    for _ in 0..<samples {
      let normals = (0..<columns).map { _ in random.normal() }
      rows.append(normals.indices.map { scales[$0] * (normals[$0] + means[$0]) })
      var sum = 0.0
      for (index, normal) in normals.enumerated() { sum += index % 2 == 0 ? normal : -0.5 * normal }
      let bend = random.chance(0.3) ? sum * sum : 0
      sums.append(sum + bend + 0.3 * random.normal())
    }
    self.rows = rows
    let widths = (0..<random.whole(1, 2)).map { _ in String(random.whole(1, 6)) }
      .joined(separator: ",")
    let activation = random.pick(["tanh", "relu", "gelu"])
    switch index % 5 {
    case 0:
      (model, classes, target) = ("linear", nil, sums.map { size * $0 })
    case 1:
      classes = 2 + index % 2
      model = classes == 2 && index % 4 == 2 ? "logistic" : "softmax"
      target = sums.map { $0 < 0 ? 0 : $0 > 1 && index % 2 == 1 ? 2 : 1 }
    case 2:
      (model, classes) = ("mlp:\(widths):\(activation)", 2)
      target = sums.map { $0 < 0 ? 0 : 1 }
    default:
      (model, classes, target) = ("mlp:\(widths):\(activation)", nil, sums.map { size * $0 })
    }
  }

  var summary: String {
    "case \(index): \(rank.map { "factorisation of rank \($0)" } ?? model), \(rows.count) x \(rows[0].count), "
      + "\(optimizer) at \(timesLimit) times the limit"
  }

  // MARK: In memory

  func problem() throws -> DiagnosisProblem {
    if let rank { return factorisation(rank) }
    var table = TabularProblem(
      name: "t.csv", targetName: "y", features: rows.flatMap { $0 },
      featureNames: rows[0].indices.map { "x\($0)" },
      target: classes.map { .classes(target.map { Int32($0) }, count: $0) } ?? .numeric(target),
      model: try ModelChoice(model),
      loss: classes == nil ? .halfSquaredError : model == "logistic" ? .binary : .crossEntropy,
      seed: index)
    table.hasIntercept = hasIntercept
    table.reduction = reduction
    return DiagnosisProblem(table)
  }

  /// `mean (X - A B)^2`, from small random factors: sharper on the way than at its start.
  private func factorisation(_ rank: Int) -> DiagnosisProblem {
    var random = SeededGenerator(seed: UInt64(index))
    let parameters: [LossDefinition.Parameter] = [
      .init("left", [rows.count, rank]), .init("right", [rank, rows[0].count]),
    ]
    let start = (0..<rank * (rows.count + rows[0].count)).map { _ in 0.3 * random.normal() }
    return DiagnosisProblem(
      name: "factorisation",
      definition: LossDefinition(parameters: parameters) { p, data in
        (p[0].matmul(p[1]) - data[0]).square().mean()
      }, data: [Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count])], start: start)
  }

  /// The report as JSON, with the rate that the limit asks for; nil where there is no limit.
  func json(_ executor: any Executor, maxIterations: Int?) throws -> Data? {
    let problem = try problem()
    var request = DiagnosisRequest()
    request.training.optimizer = try OptimizerSetting(optimizer)
    request.resources.precision = .float64
    request.trials.areRun = false
    guard
      let limit = try diagnose(problem, request: request, executor: executor).learningRate
        .stabilityLimit
    else { return nil }
    request.training.rate = Self.rounded(timesLimit * limit)
    request.trials.areRun = true
    request.trials.maxIterations = maxIterations
    return Data(
      try diagnose(problem, request: request, executor: executor).json(indented: false).utf8)
  }

  private static func rounded(_ rate: Double) -> Double {
    Double(String(format: "%.3g", rate)) ?? rate
  }

  // MARK: From a program

  private var csv: String {
    let header = (rows[0].indices.map { "x\($0)" } + ["y"]).joined(separator: ",")
    let lines = zip(rows, target).map { row, value in
      (row.map { "\($0)" } + [classes == nil ? "\(value)" : "class \(Int(value))"])
        .joined(separator: ",")
    }
    return ([header] + lines).joined(separator: "\n") + "\n"
  }

  /// The same from a built program; nil for what no table holds.
  func json(program: String, maxIterations: Int?) throws -> Data? {
    guard rank == nil else { return nil }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "sentences-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let table = folder.appendingPathComponent("t.csv")
    try Data(csv.utf8).write(to: table)
    func run(_ more: [String]) throws -> Data {
      let output = folder.appendingPathComponent("out.json")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments =
        [
          "diagnose", table.path, "--target", "y", "--model", model, "--optimizer", optimizer,
          "--precision", "float64", "--seed", "\(index)", "--json", output.path,
        ] + (hasIntercept ? [] : ["--no-intercept"])
        + (reduction == .sum ? ["--reduction", "sum"] : []) + more
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return try Data(contentsOf: output)
    }
    let first = try SentenceCheck(json: run(["--no-trials"])).report
    guard let limit = first.learningRate.stabilityLimit else { return nil }
    return try run(
      ["--lr", "\(Self.rounded(timesLimit * limit))"]
        + (maxIterations.map { ["--max-iterations", "\($0)"] } ?? []))
  }
}
