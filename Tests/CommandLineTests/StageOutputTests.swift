import Diagnosis
import Foundation
import Presentation
import ProgramRuns
import TensorPrograms
import Testing
import EigenstepCommand

/// What the program prints before it is done, and what it reads from a pipe.
@Suite struct StageOutputTests {
  private static let table =
    "a,b,target\n1,2000,0.5\n2,1000,1.5\n4,3000,2.5\n3,1500,0.25\n5,2500,3.5\n"

  /// Runs a shell's command line with the program as `$0`.
  private static func shell(_ line: String, _ arguments: String...) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(
      ["-c", line, BuiltProgram.url.path] + arguments, program: URL(fileURLWithPath: "/bin/sh"))
  }

  @Test func `a table comes from standard input`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(Self.table, to: "t.csv")
    let named = try BuiltProgram.run(["diagnose", file, "--no-trials", "--lr", "1e-8"])
    #expect(named.status == 0)
    for line in [
      #"cat "$1" | "$0" diagnose - --no-trials --lr 1e-8"#,
      #""$0" diagnose - --no-trials --lr 1e-8 <"$1""#,
    ] {
      let piped = try Self.shell(line, file)
      #expect(piped.status == 0, "\(piped.errors)")
      // But for the command that is advised, which names the file.
      func lines(_ outcome: BuiltProgram.Outcome) -> [String] {
        outcome.output.split(separator: "\n").dropFirst(2).map {
          String($0).replacingOccurrences(of: "train \(file) ", with: "train - ")
        }
      }
      #expect(lines(piped) == lines(named))
      #expect(piped.output.contains("eigenstep train - --"))
    }
  }

  @Test func `help's default for the target is taken, and missed with the next step`() throws {
    let folder = try TemporaryFolder()
    #expect(try BuiltProgram.run(["diagnose", "--help"]).output.contains("the one named target"))
    let other = try folder.write("a,b,price\n1,2,3\n4,5,7\n3,1,2\n", to: "t.csv")
    let outcome = try BuiltProgram.run(["diagnose", other, "--no-trials"])
    #expect(outcome.status == 65)
    #expect(outcome.errors.contains("`target`") && outcome.errors.contains("a, b, price"))
    #expect(outcome.errors.contains("name one with --target"))
  }

  @Test func `parts are printed as they come, and none beside JSON on standard output`() throws {
    for json in [nil, JSONDestination.standardOutput] {
      var events: [String] = []
      let session = AnswerSession(
        json: json, style: TerminalStyle(colours: false), context: RunContext(),
        finished: { events.append("clear") }, print: { events.append($0) })
      let status = try session.perform { _ in
        session.showEarly { _ in "one" }
        session.showEarly { _ in "two" }
        return Answer(json: { "{}" }, text: { _ in "three" })
      }
      #expect(status == .done)
      #expect(
        events
          == (json == nil
            ? ["clear", "one", "clear", "two", "clear", "three"] : ["clear", "{}\n"]))
    }
  }

  @Test func `nobody reads the text, and the JSON is written all the same`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(Self.table, to: "t.csv")
    let path = folder.path("r.json")
    _ = try Self.shell(
      #""$0" diagnose "$1" --lr 1e-8 --max-iterations 50 --json "$2" | true"#, file, path)
    let report = try JSONDecoder().decode(
      DiagnosisReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(report.stage == .complete)
  }

  @Test func `a log shows that a long run is alive`() async throws {
    let lines = Lines()
    let line = ProgressLine(isTerminal: false, seconds: 0.05) { lines.append($0) }
    try await Task.sleep(for: .seconds(0.2))
    #expect(lines.all.isEmpty)
    line.show(RunProgress(stage: "curvature"))
    for _ in 0..<100 where lines.all.count < 2 { try await Task.sleep(for: .seconds(0.05)) }
    #expect(lines.all.count >= 2)
    #expect(lines.all.allSatisfy { $0.hasPrefix("eigenstep: curvature, after ") })
    line.show(RunProgress(stage: "trial: adam", fraction: 0.5))
    for _ in 0..<100 where !(lines.all.last ?? "").contains("adam") {
      try await Task.sleep(for: .seconds(0.05))
    }
    #expect(lines.all.last?.hasPrefix("eigenstep: trial: adam 50 %, after ") == true)
  }
}

/// What was written, from whatever thread.
private final class Lines: @unchecked Sendable {
  // Unchecked: the list is only touched under the lock.
  private let lock = NSLock()
  private var list: [String] = []

  var all: [String] { lock.withLock { list } }
  func append(_ line: String) { lock.withLock { list.append(line) } }
}
