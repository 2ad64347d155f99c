import Diagnosis
import Foundation
import Problems
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// Tables that a program holds in memory: how they are named, where they begin, what advice says of them.
@Suite struct MemoryTableTests {
  private static let table = HeldFile(
    tensors: [
      "X": Tensor([1.0, 20, 2, 10, 3, 50, -1, 5, 0.5, -20, 4, 10], shape: [6, 2]),
      "y": Tensor([0.25, 2.75, 1.5, -2.25, 3.125, 6.75], shape: [6]),
    ], columnNames: ["X": ["small", "large"]], order: ["X", "y"])

  private static func request(_ name: String) -> DiagnosisRequest {
    var request = DiagnosisRequest(.table(TableRequest(file: "memory:\(name)", target: "y")))
    request.resources.executor = .reference
    request.training.rate = 10
    return request
  }

  @Test func `both modules call them alike`() {
    #expect(ProblemSource.memoryPrefix == HeldFile.prefix)
    #expect(HeldFile.isName("memory:X, y") && !HeldFile.isName("table.csv"))
  }

  @Test func `no command names what is in memory, a call does`() throws {
    try HeldFile.with(["X, y": Self.table, "df": Self.table]) {
      let inShell = try diagnose(Self.request("X, y"))
      #expect(inShell.problem.name == "X, y")
      #expect(inShell.advice.action != nil && inShell.advice.action?.command == nil)
      let calls = try CommandLanguage.python.used {
        try ["X, y", "df"].map { try diagnose(Self.request($0)).advice.action?.command ?? [] }
      }
      #expect(calls[0].count == 1 && calls[0][0].hasPrefix("eigenstep.train(X, y, "))
      #expect(calls[1][0].hasPrefix(#"eigenstep.train(df, target="y", "#))
      #expect(calls[0][0].contains("standardise=True, ") && !calls[0][0].contains("--"))
    }
  }

  @Test func `a call quotes texts and leaves numbers`() throws {
    let folder = try TemporaryFolder()
    var table = try SmallFiles.table(in: folder)
    table.dropped = [#"a "b""#, "c"]
    table.intercept = false
    table.model = .mlp(hidden: [3], activation: .tanh)
    table.l2 = 0.5
    let course = try #require(
      try JSONDecoder().decode(
        TrainingCourse.self,
        from: Data(
          #"""
          {"optimizer": {"name": "adam", "beta2": 0.99}, "rate": 0.125, "rates": [
            {"parameters": "bias*", "factor": 0.5}, {"parameters": "weights1", "factor": 2}],
           "standardises": true, "batch": 4, "epochs": 3}
          """#.utf8)) as TrainingCourse?)
    let words = CommandLanguage.python.used { course.arguments(.table(table), Resources()) }
    #expect(
      words == [
        #"eigenstep.train("\#(table.file)", target="y", drop="a \"b\",c", model="mlp:3:tanh", "#
          + #"intercept=False, l2=0.5, standardise=True, optimizer="adam:beta2=0.99", lr=0.125, "#
          + #"rate=["bias*=0.5x", "weights1=2x"], batch=4, epochs=3)"#
      ])
    #expect(course.arguments(.table(table), Resources())?.prefix(2) == ["eigenstep", "train"])
  }

  @Test func `a start is read by the names of the parameters`() throws {
    let start = HeldFile(
      tensors: ["weights": Tensor([2.0, -1], shape: [2, 1]), "bias": Tensor([0.5], shape: [1])])
    try HeldFile.with(["X, y": Self.table, "start": start]) {
      var request = Self.request("X, y")
      guard case .table(var table) = request.problem else { return }
      table.start = "memory:start"
      request.problem = .table(table)
      request.trials.areRun = false
      let problem = try DiagnosisProblem(opening: request.problem)
      #expect(problem.start == [2, -1, 0.5])
      let report = try diagnose(request)
      let rows = [(1.0, 20.0), (2, 10), (3, 50), (-1, 5), (0.5, -20), (4, 10)]
      let targets = [0.25, 2.75, 1.5, -2.25, 3.125, 6.75]
      let squares = zip(rows, targets).map { row, target in
        let error = 2 * row.0 - row.1 + 0.5 - target
        return error * error
      }
      #expect(abs((report.problem.loss ?? 0) - squares.reduce(0, +) / 12) < 1e-9)
      // What begins elsewhere than a training does, no command repeats.
      #expect(report.advice.action?.command == nil)
      // The request is whole.
      let coded = try JSONDecoder().decode(
        DiagnosisRequest.self, from: JSONEncoder().encode(request))
      #expect(coded == request)
      var sweep = SweepRequest(request.problem, rates: RateRange(1e-3, 1, count: 4))
      sweep.steps = 3
      #expect(throws: RequestError.self) { try measureSweep(sweep) }
    }
  }

  @Test func `a start of another shape, or without a parameter, is refused`() throws {
    let wrong = HeldFile(
      tensors: ["weights": Tensor([2.0, -1], shape: [1, 2]), "bias": Tensor([0.5], shape: [1])])
    let short = HeldFile(tensors: ["weights": Tensor([2.0, -1], shape: [2, 1])])
    try HeldFile.with(["X, y": Self.table, "wrong": wrong, "short": short]) {
      guard case .table(var table) = Self.request("X, y").problem else { return }
      table.start = "memory:wrong"
      let error = try #require(throws: DiagnosisFailure.self) {
        try DiagnosisProblem(opening: .table(table))
      }
      #expect("\(error)".contains("'weights' has the shape [1, 2], and the model's has [2, 1]"))
      table.start = "memory:short"
      #expect(throws: ArrayFileError.self) { try DiagnosisProblem(opening: .table(table)) }
      table.start = "memory:nowhere"
      #expect(throws: DiagnosisFailure.self) { try DiagnosisProblem(opening: .table(table)) }
    }
  }

  @Test func `a network tells two classes apart by one logit`() throws {
    let labelled = HeldFile(
      tensors: [
        "X": Tensor([1.0, 2, 2, 1, 3, 5, -1, 0.5, 0.5, -2, 4, 1], shape: [6, 2])
      ], words: ["y": ["a", "b", "a", "b", "b", "a"]], order: ["X", "y"])
    try HeldFile.with(["X, y": labelled]) {
      var table = TableRequest(file: "memory:X, y", target: "y")
      table.model = .mlp(hidden: [3], activation: .tanh)
      table.loss = "binary"
      let one = try DiagnosisProblem(opening: .table(table))
      #expect(one.parameters.map(\.shape.count) == [6, 3, 3, 1])
      table.loss = nil
      let two = try DiagnosisProblem(opening: .table(table))
      #expect(two.parameters.map(\.shape.count) == [6, 3, 6, 2])
      // With weights whose difference is those of the one logit, the loss is the same.
      var (first, second) = (one, two)
      let head = [0.5, -1, 2.0]
      first.start = one.start.prefix(9) + head + [0.25]
      second.start = one.start.prefix(9) + head.flatMap { [0, $0] } + [0, 0.25]
      var request = DiagnosisRequest()
      request.resources.executor = .reference
      request.resources.precision = .float64
      request.trials.areRun = false
      let losses = try [first, second].map { problem in
        try diagnose(problem, request: request).problem.loss ?? .nan
      }
      #expect(abs(losses[0] - losses[1]) < 1e-12)
    }
  }

  @Test func `three classes are no matter of one logit`() throws {
    let labelled = HeldFile(
      tensors: ["x": Tensor([1.0, 2, 3, 4, 5, 6], shape: [6])],
      words: ["y": ["a", "b", "c", "b", "b", "a"]], order: ["x", "y"])
    try HeldFile.with(["df": labelled]) {
      var table = TableRequest(file: "memory:df", target: "y")
      table.model = .mlp(hidden: [3], activation: .tanh)
      table.loss = "binary"
      let error = try #require(throws: DiagnosisFailure.self) {
        try DiagnosisProblem(opening: .table(table))
      }
      #expect(
        "\(error)"
          == "The loss binary tells two classes apart, and the target 'y' holds 3 different "
          + "values; use `loss: cross-entropy`.")
    }
  }
}
