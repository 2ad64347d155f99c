import Curvature
import Diagnosis
import Foundation
import OnnxBackend
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// The loss that fits what a model's output is.
@Suite struct LossFitTests {
  /// `tail` of the logits `x w`, in float64.
  private static func opened(
    _ tail: (inout ModelSketch) -> Void, loss: String?, columns: Int = 3, asLogits: Bool = false,
    labels: [Int64] = [1, 0, 2, 0, 1, 2, 0, 1], target: Tensor? = nil, in folder: TemporaryFolder
  ) throws -> DiagnosisProblem {
    var model = ModelSketch()
    model.input("x", ["n", "3"], double: true)
    model.output("out", ["n", "\(columns)"], double: true)
    model.tensor("w", [3, columns], weights(columns), double: true)
    model.node("MatMul", ["x", "w"], ["z"])
    tail(&model)
    var request = ModelFileRequest(file: try model.write(in: folder))
    try NpzArchive.write(
      [
        ("x", Tensor(wave(24, 0.3), shape: [8, 3])),
        ("target", target ?? Tensor(labels, shape: [8])),
      ], to: folder.path("d.npz"))
    request.data = folder.path("d.npz")
    request.loss = loss
    request.asLogits = asLogits
    return try DiagnosisProblem(opening: .model(request))
  }

  private static func weights(_ columns: Int) -> [Double] { wave(3 * columns, 2) }

  private static func value(_ problem: DiagnosisProblem) throws -> Double {
    guard case .traced(let definition, let data) = problem.loss else { return .nan }
    return try Objective<Double>(definition, data: data, executor: ReferenceExecutor())
      .value(at: problem.start)
  }

  /// The logits, in plain doubles.
  private static func logits(_ columns: Int = 3) -> [[Double]] {
    let (x, w) = (wave(24, 0.3), weights(columns))
    return (0..<8).map { row in
      (0..<columns).map { column in
        (0..<3).reduce(0) { $0 + x[3 * row + $1] * w[columns * $1 + column] }
      }
    }
  }

  private static func softmax(_ z: [Double]) -> [Double] {
    let total = z.reduce(0) { $0 + exp($1) }
    return z.map { exp($0) / total }
  }

  private static func crossEntropy(_ outputs: [[Double]], _ labels: [Int]) -> Double {
    zip(outputs, labels).reduce(0) { $0 - log(softmax($1.0)[$1.1]) } / Double(labels.count)
  }

  private static let labels = [1, 0, 2, 0, 1, 2, 0, 1]

  /// The last nodes of a model whose output is a softmax of its logits.
  private static let softmaxTails: [(String, @Sendable (inout ModelSketch) -> Void)] = [
    ("at the end", { $0.node("Softmax", ["z"], ["out"], name: "last", ["axis": -1]) }),
    (
      "before other nodes",
      {
        $0.integers("sizes", [-1, 3])
        $0.node("Softmax", ["z"], ["p"], name: "last", ["axis": -1])
        $0.node("Identity", ["p"], ["q"])
        $0.node("Reshape", ["q", "sizes"], ["r"])
        $0.node("Cast", ["r"], ["out"], ["to": 11])
      }
    ),
    (
      "spelled out",
      {
        $0.integers("axis", [1])
        $0.node("ReduceMax", ["z", "axis"], ["m"], ["keepdims": 1])
        $0.node("Sub", ["z", "m"], ["shifted"])
        $0.node("Exp", ["shifted"], ["e"])
        $0.node("ReduceSum", ["e", "axis"], ["total"], ["keepdims": 1])
        $0.node("Div", ["e", "total"], ["out"], name: "last")
      }
    ),
  ]

  @Test(arguments: softmaxTails.indices, ["cross-entropy", "nll"])
  func `a loss of logits is taken before the softmax`(_ tail: Int, _ loss: String) throws {
    let folder = try TemporaryFolder()
    let problem = try Self.opened(Self.softmaxTails[tail].1, loss: loss, in: folder)
    let right = Self.crossEntropy(Self.logits(), Self.labels)
    #expect(abs(try Self.value(problem) - right) < 1e-12, "\(Self.softmaxTails[tail].0)")
    let reading = try #require(problem.readings.first)
    #expect(reading.id == "output-is-no-logit" && reading.names == ["out", "last"])
    #expect(
      problem.findings.map(\.id)
        == [loss == "nll" ? "loss-and-output" : "loss-of-probabilities"])
  }

  @Test(arguments: ["cross-entropy", "nll", "kl"])
  func `bounds of probabilities do not bound the logits`(_ loss: String) throws {
    let folder = try TemporaryFolder()
    let tail: @Sendable (inout ModelSketch) -> Void = {
      $0.tensor("low", [], [1e-7], double: true)
      $0.tensor("high", [], [1 - 1e-7], double: true)
      $0.node("Softmax", ["z"], ["p"], ["axis": -1])
      $0.node("Clip", ["p", "low", "high"], ["out"])
    }
    guard loss != "kl" else {
      let target = Tensor([Double](repeating: 1 / 3.0, count: 24), shape: [8, 3])
      let problem = try Self.opened(tail, loss: loss, target: target, in: folder)
      let logits = Self.logits().map(Self.softmax)
      let right = logits.joined().reduce(0) { $0 + (log(1 / 3.0) - log($1)) / 3 }
      // As PyTorch's "mean" has it.
      #expect(abs(try Self.value(problem) - right / 24) < 1e-12)
      return
    }
    let problem = try Self.opened(tail, loss: loss, in: folder)
    let right = Self.crossEntropy(Self.logits(), Self.labels)
    #expect(abs(try Self.value(problem) - right) < 1e-12)
  }

  @Test func `a softmax along the samples is not that of the loss`() throws {
    let folder = try TemporaryFolder()
    let tails: [(@Sendable (inout ModelSketch) -> Void)] = [
      { $0.node("Softmax", ["z"], ["out"], ["axis": 0]) },
      {
        $0.permuted("z", "t")
        $0.node("Softmax", ["t"], ["p"], ["axis": -1])
        $0.permuted("p", "out")
      },
    ]
    let exponentials = Self.logits().map { $0.map(exp) }
    let outputs = exponentials.map { row in
      (0..<3).map { column in row[column] / exponentials.reduce(0) { $0 + $1[column] } }
    }
    for tail in tails {
      let problem = try Self.opened(tail, loss: "cross-entropy", in: folder)
      #expect(abs(try Self.value(problem) - Self.crossEntropy(outputs, Self.labels)) < 1e-12)
      #expect(problem.readings.map(\.id) == ["softmax-of-another-axis"])
    }
    // One along the classes of what is turned twice is.
    let turned = try Self.opened(
      {
        $0.permuted("z", "t")
        $0.node("Softmax", ["t"], ["p"], ["axis": 0])
        $0.permuted("p", "out")
      }, loss: "cross-entropy", in: folder)
    #expect(abs(try Self.value(turned) - Self.crossEntropy(Self.logits(), Self.labels)) < 1e-12)
  }

  @Test func `z over one plus exp of minus z is no sigmoid`() throws {
    let folder = try TemporaryFolder()
    for (numerator, one, isSigmoid) in [("z", 1.0, false), ("one", 2, false), ("one", 1, true)] {
      let problem = try Self.opened(
        {
          $0.tensor("one", [], [one], double: true)
          $0.node("Neg", ["z"], ["m"])
          $0.node("Exp", ["m"], ["e"])
          $0.node("Add", ["e", "one"], ["d"])
          $0.node("Div", [numerator, "d"], ["out"])
        }, loss: "binary", columns: 1,
        target: Tensor(Self.labels.map { Double($0 % 2) }, shape: [8, 1]),
        in: folder)
      #expect(problem.readings.contains { $0.id == "output-is-no-logit" } == isSigmoid)
    }
  }

  @Test func `as logits, the softmax is applied twice`() throws {
    let folder = try TemporaryFolder()
    let problem = try Self.opened(
      Self.softmaxTails[0].1, loss: "cross-entropy", asLogits: true, in: folder)
    let twice = Self.crossEntropy(Self.logits().map(Self.softmax), Self.labels)
    #expect(abs(try Self.value(problem) - twice) < 1e-12)
    #expect(problem.readings.isEmpty)
    let finding = try #require(problem.findings.first)
    #expect(finding.id == "loss-of-probabilities")
    #expect(finding.sentence.contains("the Softmax is applied twice"))
    #expect(finding.evidence["measuredAsFits"] == .integer(0))
  }

  @Test func `a log-softmax fits nll, and cross-entropy alike`() throws {
    let folder = try TemporaryFolder()
    let right = Self.crossEntropy(Self.logits(), Self.labels)
    let rows: [(String, [String])] = [("nll", []), ("cross-entropy", ["loss-and-output"])]
    for (loss, ids) in rows {
      for isSpelledOut in [false, true] {
        let problem = try Self.opened(
          {
            if isSpelledOut {
              $0.node("Softmax", ["z"], ["p"], ["axis": -1])
              $0.node("Log", ["p"], ["out"])
            } else {
              $0.node("LogSoftmax", ["z"], ["out"], ["axis": -1])
            }
          }, loss: loss, in: folder)
        #expect(abs(try Self.value(problem) - right) < 1e-12)
        #expect(problem.findings.map(\.id) == ids && problem.readings.isEmpty)
      }
    }
  }

  @Test func `logits are no log-probabilities`() throws {
    let folder = try TemporaryFolder()
    let problem = try Self.opened({ $0.node("Identity", ["z"], ["out"]) }, loss: "nll", in: folder)
    let finding = try #require(problem.findings.first)
    #expect(finding.id == "loss-and-output")
    #expect(finding.evidence["fitting"] == .text("cross-entropy"))
    // And a squared error of probabilities is nobody's mistake.
    let brier = try Self.opened(
      { $0.node("Sigmoid", ["z"], ["out"]) }, loss: "mse", columns: 1, in: folder)
    #expect(brier.findings.isEmpty && brier.readings.isEmpty)
  }

  /// The mean of `log(1 + exp(z)) - y z`.
  private static func binary(_ labels: [Int]) -> Double {
    zip(logits(1), labels).reduce(0) { $0 + log(1 + exp($1.0[0])) - Double($1.1) * $1.0[0] } / 8
  }

  @Test(arguments: ["binary", "cross-entropy"], [false, true])
  func `one output is one logit`(_ loss: String, _ hasSigmoid: Bool) throws {
    let folder = try TemporaryFolder()
    let labels = [1, 0, 1, 0, 1, 1, 0, 1]
    let problem = try Self.opened(
      { $0.node(hasSigmoid ? "Sigmoid" : "Identity", ["z"], ["out"]) }, loss: loss, columns: 1,
      labels: labels.map(Int64.init), in: folder)
    #expect(problem.lossName == "binary")
    #expect(abs(try Self.value(problem) - Self.binary(labels)) < 1e-12)
    let readings =
      loss == "cross-entropy" ? ["one-logit"] : hasSigmoid ? ["output-is-no-logit"] : []
    #expect(problem.readings.map(\.id) == readings)
  }

  @Test func `a softmax of one number is told`() throws {
    let folder = try TemporaryFolder()
    let labels = [1, 0, 1, 0, 1, 1, 0, 1]
    let problem = try Self.opened(
      { $0.node("Softmax", ["z"], ["out"], ["axis": -1]) }, loss: "cross-entropy", columns: 1,
      labels: labels.map(Int64.init), in: folder)
    #expect(abs(try Self.value(problem) - Self.binary(labels)) < 1e-12)
    #expect(problem.readings.map(\.id) == ["one-logit"])
    #expect(problem.readings[0].sentence.contains("makes 1 of any single number"))
  }

  @Test func `one output has no place for three classes`() throws {
    let folder = try TemporaryFolder()
    #expect(
      performing: {
        try Self.opened(
          { $0.node("Identity", ["z"], ["out"]) }, loss: "cross-entropy", columns: 1, in: folder)
      },
      throws: {
        let text = "\($0)"
        return text.contains("holds 2") && text.contains("one logit of the classes 0 and 1")
      })
  }

  @Test func `a softmax of a softmax within a model is said`() throws {
    let folder = try TemporaryFolder()
    var model = ModelSketch()
    model.input("x", ["n", "3"])
    model.output("loss", [])
    model.tensor("w", [3, 3], wave(9))
    model.node("MatMul", ["x", "w"], ["z"])
    model.node("Softmax", ["z"], ["p"], ["axis": -1])
    model.node("LogSoftmax", ["p"], ["l"], name: "again", ["axis": -1])
    model.node("ReduceMean", ["l"], ["loss"], ["keepdims": 0])
    var request = ModelFileRequest(file: try model.write(in: folder))
    try NpzArchive.write([("x", SmallFiles.inputs)], to: folder.path("d.npz"))
    request.data = folder.path("d.npz")
    let problem = try DiagnosisProblem(opening: .model(request))
    #expect(problem.findings.map(\.id) == ["softmax-twice"])
    #expect(problem.findings.first?.evidence["nodes"] == .list(["again"]))
  }
}
