import Diagnosis
import Foundation
import ProgramRuns
import TensorFiles
import Testing
import Training

@testable import EigenstepCommand

/// The command that Do prints, and that of every other remedy, run by the program itself: it comes to what the
/// diagnosis said.
@Suite struct AdviceCommandTests {
  private func report(_ table: String, _ options: [String]) throws -> DiagnosisReport {
    let outcome = try BuiltProgram.run(
      ["diagnose", table, "--target", "y", "--executor", "reference", "--json", "-"] + options)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode(DiagnosisReport.self, from: Data(outcome.output.utf8))
  }

  private static let knowsStandardising: Bool =
    (try? BuiltProgram.run(["train", "--help"]).output.contains("--standardise")) ?? false

  static let cases: [(classes: Bool, options: [String])] = [
    (false, ["--lr", "0.1"]),
    (false, ["--lr", "0.05", "--optimizer", "momentum", "--batch", "8", "--seed", "3"]),
    (false, ["--lr", "0.1", "--batch", "8", "--sampling", "replacement", "--model", "linear"]),
    (true, ["--lr", "0.1", "--model", "mlp:5:tanh", "--max-iterations", "60", "--l2", "0.01"]),
    (true, ["--lr", "0.1", "--model", "mlp:4", "--max-iterations", "40", "--batch", "10"]),
  ]

  @Test(arguments: cases.indices)
  func `every remedy's command does what its trial did`(_ index: Int) throws {
    let (isClasses, options) = Self.cases[index]
    let folder = try TemporaryFolder()
    let table = try folder.write(
      isClasses ? TrainCommandTests.classes : TrainCommandTests.numbers, to: "the table.csv")
    let report = try report(table, options)
    let request = try #require(report.request)
    var kinds: Set<String> = []
    for item in report.prescriptions {
      guard let course = item.course, let measured = item.measured else { continue }
      let words = try #require(course.arguments(request.problem, request.resources))
      #expect(words.prefix(3) == ["eigenstep", "train", table])
      if course.standardises {
        #expect(words.contains("--standardise"))
        guard Self.knowsStandardising else { continue }
      }
      // Read by the program's own parser, then run.
      let parsed = try #require(
        try TrainCommand.parseAsRoot(Array(words.dropFirst(2))) as? TrainCommand)
      if !course.standardises {
        #expect(parsed.request.problem == request.problem, "\(item.id)")
      }
      #expect(parsed.request.optimizer == course.optimizer)
      let outcome = try BuiltProgram.run(Array(words.dropFirst()) + ["--json", "-"])
      #expect(outcome.status == 0, "\(item.id): \(outcome.errors)")
      let training = try JSONDecoder().decode(
        TrainingReport.self, from: Data(outcome.output.utf8))
      let loss = try #require(training.after.loss)
      // Of a run in batches the last loss; the mean over passes is of it and of some before. Where runs are
      // compared by loss, the lowest, at the step of it.
      let isToTheEnd = course.then != nil || course.schedule?.schedule.name == "cosine"
      let wanted = try #require(
        measured.inBatches != nil || isToTheEnd
          ? measured.lossAtEnd : measured.lossAtEqualWork ?? measured.loss)
      let isMeasuring = course.schedule?.schedule.name == "sharpness-following"
      let share = isMeasuring ? 0.2 : measured.inBatches?.batch == nil ? 1e-3 : 1e-5
      #expect(
        abs(loss - wanted) <= share * abs(wanted)
          || (item.id == "lbfgs" || course.steps == 1) && loss <= wanted,
        "\(item.id): \(loss) \(wanted) \(words)")
      kinds.insert(item.id)
    }
    let expected: Set<String> =
      isClasses
      ? ["safe-rate", "adam", "rates-per-layer", "lbfgs"] : ["safe-rate", "adam", "lbfgs"]
    #expect(kinds.isSuperset(of: expected), "\(kinds)")
    let action = try #require(report.advice.action)
    let chosen = try #require(report.prescriptions.first { $0.id == action.prescription })
    #expect(action.command == chosen.course?.arguments(request.problem, request.resources))
  }

  @Test func `the text ends Do with the command on a line of its own`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "the table.csv")
    let options = ["--lr", "0.01", "--executor", "reference"]
    let text = try BuiltProgram.run(["diagnose", table, "--target", "y"] + options).output
    let words = try #require(try report(table, ["--lr", "0.01"]).advice.action?.command)
    let quoted = words.map { $0 == table ? "'\(table)'" : $0 }.joined(separator: " ")
    let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    let place = try #require(lines.firstIndex(of: quoted), "\(text)")
    #expect(lines[..<place].contains { $0.hasPrefix("Do ") })
  }

  @Test func `a change of methods is told by --then`() throws {
    let json = """
      {"optimizer": {"name": "adam"}, "then": {"name": "lbfgs", "pairs": 5}, "rate": 0.001,
      "rates": [{"parameters": "a,b", "factor": 0.25}], "standardises": false, "steps": 30,
      "schedule": {"schedule": {"name": "cosine"}, "warmUp": 0.05}}
      """
    let course = try JSONDecoder().decode(TrainingCourse.self, from: Data(json.utf8))
    var table = TableRequest(file: "t.csv", target: "y")
    table.features = ["a,b", "c"]
    table.l2 = 0.5
    let words = try #require(course.arguments(.table(table), Resources()))
    let parsed = try #require(
      try TrainCommand.parseAsRoot(Array(words.dropFirst(2))) as? TrainCommand)
    #expect(parsed.request.then == course.then && parsed.request.problem == .table(table))
    #expect(parsed.request.rules.rates == course.rates && parsed.request.rate == .number(0.001))
    #expect(parsed.request.schedule.name == "cosine" && parsed.request.warmUp == 0.05)
    #expect(course.arguments(.memory("x"), Resources()) == nil)
  }
}
