import Diagnosis
import Foundation
import ProgramRuns
import TensorFiles
import Testing
import Training

@Suite struct TrainCommandTests {
  static let executor = ["--executor", "reference", "--threads", "1"]

  /// Two features on a plane with a ripple: forty rows.
  static let numbers: String = {
    let rows = (0..<40).map { row -> String in
      let (a, b) = (sin(Double(row) * 0.7), cos(Double(row) * 1.3))
      return "\(a),\(b),\(2 * a - b + 0.5 + 0.1 * sin(Double(row * row)))"
    }
    return (["a,b,y"] + rows).joined(separator: "\n") + "\n"
  }()

  static let classes: String = {
    let rows = (0..<40).map { row -> String in
      let (a, b) = (sin(Double(row) * 0.7), cos(Double(row) * 1.3))
      return "\(a),\(b),\(a + b + 0.2 * sin(Double(row * row)) > 0 ? "up" : "down")"
    }
    return (["a,b,y"] + rows).joined(separator: "\n") + "\n"
  }()

  private func train(_ table: String, _ options: [String]) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(["train", table, "--target", "y"] + Self.executor + options)
  }

  private func report(_ outcome: BuiltProgram.Outcome) throws -> TrainingReport {
    try JSONDecoder().decode(TrainingReport.self, from: Data(outcome.output.utf8))
  }

  @Test func `least squares comes to its minimum, and the parameters are saved`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let saved = folder.path("w.safetensors")
    let outcome = try train(
      table, ["--lr", "0.5", "--steps", "400", "--json", "-", "--save", saved])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try report(outcome)
    #expect(report.ending.reason == .finished && report.length.steps == 400)
    #expect(report.result == .last && report.method.name == "gd" && report.method.batch == nil)
    // The normal equations, solved by hand.
    var matrix = [[Double]](repeating: [0, 0, 0], count: 3)
    var right = [0.0, 0, 0]
    for line in Self.numbers.split(separator: "\n").dropFirst() {
      let cells = line.split(separator: ",").compactMap { Double($0) }
      let x = [cells[0], cells[1], 1]
      for i in 0..<3 {
        right[i] += x[i] * cells[2]
        for j in 0..<3 { matrix[i][j] += x[i] * x[j] }
      }
    }
    for i in 0..<3 {
      for k in i + 1..<3 {
        let factor = matrix[k][i] / matrix[i][i]
        for j in 0..<3 { matrix[k][j] -= factor * matrix[i][j] }
        right[k] -= factor * right[i]
      }
    }
    var solution = [0.0, 0, 0]
    for i in (0..<3).reversed() {
      solution[i] =
        (right[i] - (i + 1..<3).reduce(0) { $0 + matrix[i][$1] * solution[$1] }) / matrix[i][i]
    }
    let file = try SafetensorsFile(saved)
    let weights = try file.tensor("weights").doubles + file.tensor("bias").doubles
    for (found, wanted) in zip(weights, solution) { #expect(abs(found - wanted) < 1e-9) }
    let r2 = try #require(report.after.rSquared)
    #expect(r2 > 0.99 && report.before.accuracy == nil)
    #expect(try #require(report.after.loss) < report.before.loss ?? 0)
  }

  /// A share of the run below a step is a slip of the pen; what the standard comes to in a short run is none.
  @Test(arguments: [
    ["--schedule", "sgdr:length=1e-30"], ["--schedule", "step:every=0.01"],
    ["--schedule", "triangular:half=0.001"], ["--schedule", "one-cycle:rise=1e-9"],
    ["--warm-up", "1e-5"],
  ])
  func `a stretch below one step is refused`(options: [String]) throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let refused = try train(table, ["--lr", "0.1", "--steps", "20"] + options)
    #expect(refused.status == 64 && refused.errors.contains("less than one step of the run's 20"))
    #expect(refused.errors.contains("at least 0.05"))
    #expect(
      try train(table, ["--lr", "0.1", "--steps", "3", "--schedule", "sgdr"]).status == 0)
  }

  /// The decay of plain descent is the penalty that a diagnosis takes it for.
  @Test func `decay of plain descent is the penalty, without biases`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    func weights(_ options: [String]) throws -> [Double] {
      let saved = folder.path("w.safetensors")
      let outcome = try train(table, ["--lr", "0.3", "--steps", "50", "--save", saved] + options)
      #expect(outcome.status == 0, "\(outcome.errors)")
      let file = try SafetensorsFile(saved)
      return try file.tensor("weights").doubles + file.tensor("bias").doubles
    }
    let decayed = try weights(["--weight-decay", "0.2"])
    for (one, other) in zip(decayed, try weights(["--l2", "0.2"])) {
      #expect(abs(one - other) < 1e-12)
    }
    let all = try weights(["--weight-decay", "0.2", "--no-decay", "none"])
    #expect(abs(all[2] - decayed[2]) > 0.01)
    let text = try train(table, ["--lr", "0.3", "--steps", "5", "--weight-decay", "0.2"]).output
    #expect(text.contains("weight decay 0.2 of all but biases"))
  }

  @Test func `a method that float32 ends says how it goes on`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.classes, to: "t.csv")
    let options = [
      "--model", "mlp:4:tanh", "--l2", "0.01", "--optimizer", "lbfgs:tolerance=0", "--steps",
      "2000",
    ]
    let ended = try report(train(table, options + ["--precision", "float32", "--json", "-"]))
    let method = try #require(ended.ending.method)
    #expect(ended.ending.reason == .method && [.rounding, .stalled].contains(method))
    #expect(
      ended.next.contains { $0.contains("--precision float64") && $0.contains("--then lbfgs") })
    let exact = try report(train(table, options + ["--precision", "float64", "--json", "-"]))
    #expect(!exact.next.contains { $0.contains("--precision") })
    #expect(try #require(exact.after.loss) <= ended.after.loss ?? 0)
  }

  @Test func `mini-batches, held-out rows and early stopping`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.classes, to: "t.csv")
    let options = [
      "--model", "mlp:8:tanh", "--optimizer", "adam", "--lr", "0.05", "--batch", "7",
      "--epochs", "60", "--held-out", "0.25", "--patience", "3", "--seed", "3",
    ]
    let report = try report(train(table, options + ["--json", "-"]))
    #expect(report.problem.samples == 30 && report.heldOut?.samples == 10)
    #expect(report.length.stepsPerPass == 5 && report.method.batch == 7)
    #expect(try #require(report.after.accuracy) > 0.8)
    // Fewer steps than were asked for, and the best point of all that was looked at.
    let losses = report.evaluations.compactMap { $0.heldOut?.loss }
    #expect(report.result == .best && report.heldOut?.after.loss == losses.min())
    #expect(report.ending.reason == .earlyStop && report.length.steps < 300)
    let lowest = try #require(losses.firstIndex(of: losses.min() ?? 0))
    #expect(losses.count == lowest + 1 + 3)
    #expect(report.problem.readings?.contains { $0.id == "held-out" } == true)
    let text = try train(table, options).output
    #expect(text.contains("the last of 2 samples") && text.contains("5 steps make a pass"))
    #expect(text.contains("accuracy") && text.contains("held out"))
    let again = try train(table, options + ["--json", "-"])
    #expect(try self.report(again).after == report.after)
  }

  @Test func `accumulated batches make the step of one`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let rest = ["--lr", "0.1", "--steps", "9", "--json", "-"]
    let one = try report(train(table, ["--batch", "12"] + rest))
    let parts = try report(train(table, ["--batch", "4", "--accumulate", "3"] + rest))
    #expect(parts.method.batch == 12 && parts.length.stepsPerPass == one.length.stepsPerPass)
    let (a, b) = (try #require(one.after.loss), try #require(parts.after.loss))
    #expect(abs(a - b) < 1e-12 * a)
  }

  @Test func `rates of groups and decay`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let saved = folder.path("w.safetensors")
    let base = ["--lr", "0.1", "--steps", "5", "--save", saved]
    #expect(try train(table, base + ["--rate", "bias=0x"]).status == 0)
    #expect(try SafetensorsFile(saved).tensor("bias").doubles == [0])
    let wrong = try train(table, base + ["--rate", "scale*=0.1x"])
    #expect(wrong.status == 64 && wrong.errors.contains("scale*"), "\(wrong.errors)")
    let loose = try train(table, base + ["--rate", "bias=fast"])
    #expect(loose.status == 64 && loose.errors.contains("bias=fast"))
    #expect(try train(table, base + ["--weight-decay", "0.1", "--no-decay", "biases"]).status == 0)
  }

  static let refusals: [([String], Int32, [String])] = [
    (["--optimizer", "adan"], 64, ["'adan'", "did you mean adam"]),
    (["--optimizer", "adam:beta3=1"], 64, ["beta3", "beta1"]),
    (["--optimizer", "adam:beta1"], 64, ["beta1"]),
    (
      ["--optimizer", "momentum:momentum=0.5", "--momentum", "0.8"], 64,
      ["--momentum is 0.8", "give one"]
    ),
    (["--lr", "0"], 64, ["--lr", "above 0"]), (["--lr", "nan"], 64, ["--lr", "above 0"]),
    (["--lr", "fast"], 64, ["fast", "auto"]), (["--schedule", "kosine"], 64, ["kosine"]),
    (["--batch", "41"], 64, ["--batch 41", "40 samples", "at most 40"]),
    (["--batch", "0"], 64, ["--batch", "at least 1"]),
    (["--batch", "20", "--accumulate", "3"], 64, ["3 times --batch 20", "at most 13"]),
    (["--sampling", "replacement"], 64, ["--batch"]), (["--patience", "3"], 64, ["--patience"]),
    (["--held-out", "1.5"], 64, ["--held-out"]), (["--held-out", "0.001"], 64, ["--held-out"]),
    (["--held-out", "/no/such.csv"], 66, ["/no/such.csv"]), (["--resume"], 64, ["--resume"]),
    (["--epochs", "3"], 64, ["epochs"]), (["--save", "w.bin"], 64, ["w.bin"]),
    (["--save", "w.onnx"], 64, ["safetensors"]), (["--checkpoint", "/proc/no"], 73, ["/proc/no"]),
    (["--track", "colour"], 64, ["colour"]), (["--clip-norm", "0"], 64, ["--clip-norm"]),
  ]

  @Test(arguments: refusals)
  func `bad input is named`(options: [String], status: Int32, words: [String]) throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let rate = options.contains("--lr") ? [] : ["--lr", "0.1"]
    let outcome = try train(table, options + rate + ["--steps", "4"])
    #expect(outcome.status == status && outcome.output.isEmpty, "\(outcome.errors)")
    for word in words { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
  }

  @Test func `a loss that is no number names where it comes from`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let lost = try train(
      table,
      ["--model", "mlp:4:gelu", "--lr", "1e30", "--steps", "50", "--checkpoint", folder.path("c")])
    #expect(lost.status == 1)
    let words = lost.output.split { $0.isWhitespace }.joined(separator: " ")
    #expect(words.contains("not finite before step"), "\(words)")
    #expect(words.contains("it comes from the operation 'dot' behind the parameter"), "\(words)")
    #expect(words.contains("Lower --lr"))
    // What is kept is from before.
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path("c")).allSatisfy {
        $0.hasSuffix(".checkpoint")
      })
    let huge = try folder.write("a,b,y\n1,2,1e200\n-1,1,1\n3,1,2\n", to: "h.csv")
    let start = try train(
      huge, ["--lr", "0.1", "--steps", "2", "--model", "linear", "--loss", "mse"])
    #expect(start.status == 65 && start.output.isEmpty, "\(start.errors)")
    #expect(start.errors.contains("not finite at the start; it comes from the operation"))
  }

  @Test func `a request and a result train again`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let path = folder.path("r.json")
    #expect(try train(table, ["--lr", "0.1", "--steps", "7", "--json", path]).status == 0)
    let again = try BuiltProgram.run(["run", path, "--json", "-"])
    #expect(again.status == 0, "\(again.errors)")
    let first = try JSONDecoder().decode(
      TrainingReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(try report(again) == first)
  }

  @Test func `the log has every step, and is not written over`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.numbers, to: "t.csv")
    let log = folder.path("log")
    let options = ["--lr", "0.1", "--epochs", "2", "--batch", "10", "--log", log]
    #expect(try train(table, options).status == 0)
    let lines = try String(contentsOfFile: log + "/events.jsonl", encoding: .utf8)
      .split(separator: "\n")
    #expect(lines.count { $0.hasPrefix(#"{"event":"step","#) } == 8)
    #expect(lines.first?.contains(#""schema":"eigenstep.training-log/1""#) == true)
    #expect(lines.last?.hasPrefix(#"{"event":"end","step":8,"reason":"finished""#) == true)
    let second = try train(table, options)
    #expect(second.status == 64 && second.errors.contains(log), "\(second.errors)")
  }
}
