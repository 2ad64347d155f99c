import Foundation
import ProgramRuns
import Testing

/// Runs that are killed and go on, and places that cannot be written.
@Suite(.serialized) struct ResumeTests {
  private static let course = [
    "--model", "mlp:6:tanh", "--optimizer", "adam", "--lr", "0.02", "--batch", "7", "--steps",
    "400", "--checkpoint-every", "3", "--held-out", "0.2", "--patience", "1000",
  ]

  private static func arguments(_ table: String, _ folder: TemporaryFolder, _ name: String)
    -> [String]
  {
    ["train", table, "--target", "y"] + TrainCommandTests.executor + course
      + ["--checkpoint", folder.path(name), "--save", folder.path(name + ".safetensors")]
  }

  private static func bytes(_ folder: TemporaryFolder, _ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: folder.path(name)))
  }

  /// `Scripts/kill-resume.py` kills runs of all kinds at more moments.
  @Test func `a run that is killed goes on to the same bits`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let began = ContinuousClock.now
    #expect(try BuiltProgram.run(Self.arguments(table, folder, "whole")).status == 0)
    let whole = began.duration(to: .now)
    let seconds = Double(whole.components.seconds) + Double(whole.components.attoseconds) * 1e-18
    var kills = 0
    for _ in 0..<60 where kills < 8 {
      let process = Process()
      process.executableURL = BuiltProgram.url
      process.arguments = Self.arguments(table, folder, "killed") + ["--resume"]
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      // Behind the start, and at another place each time.
      Thread.sleep(forTimeInterval: seconds * (0.25 + 0.09 * Double(kills % 7)))
      guard process.isRunning else { break }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      kills += 1
    }
    #expect(kills > 0)
    let last = try BuiltProgram.run(Self.arguments(table, folder, "killed") + ["--resume"])
    #expect(last.status == 0, "\(last.errors)")
    #expect(
      try Self.bytes(folder, "whole.safetensors") == Self.bytes(folder, "killed.safetensors"))
    #expect(
      !(try FileManager.default.contentsOfDirectory(atPath: folder.path("killed")))
        .contains { $0.hasSuffix(".part") })
  }

  @Test func `checkpoints of another run, damaged ones, and none`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let base =
      ["train", table, "--target", "y"] + TrainCommandTests.executor
      + ["--checkpoint", folder.path("c"), "--checkpoint-every", "2"]
    let course = ["--lr", "0.1", "--steps", "9"]
    let none = try BuiltProgram.run(base + course + ["--resume"])
    #expect(none.status == 0 && none.output.contains("There is no checkpoint"), "\(none.errors)")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path("c")).sorted()
    #expect(
      files == [6, 8, 9].map { "step-000000000\($0).checkpoint" })
    let taken = try BuiltProgram.run(base + course)
    #expect(taken.status == 64 && taken.errors.contains("--resume"), "\(taken.errors)")
    let other = try BuiltProgram.run(base + ["--lr", "0.2", "--steps", "9", "--resume"])
    #expect(
      other.status == 64 && other.errors.contains("its --lr was 0.1 and is 0.2 now"),
      "\(other.errors)")
    let changed = try folder.write(
      TrainCommandTests.numbers.replacingOccurrences(of: "\n0.0,", with: "\n0.5,"), to: "t.csv")
    #expect(changed == table)
    let model = try BuiltProgram.run(base + course + ["--resume"])
    #expect(model.status == 64 && model.errors.contains("model, data, start"), "\(model.errors)")
    _ = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let newest = folder.path("c/" + files[2])
    let bytes = try Data(contentsOf: URL(fileURLWithPath: newest))
    try bytes.dropLast(5).write(to: URL(fileURLWithPath: newest))
    let repaired = try BuiltProgram.run(base + course + ["--resume"])
    let words = repaired.output.split { $0.isWhitespace }.joined(separator: " ")
    #expect(
      words.contains("is damaged") && words.contains("the one before it"),
      "\(repaired.output)\(repaired.errors)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: newest)).count > 100)
    for name in files {
      try Data([1, 2, 3]).write(to: URL(fileURLWithPath: folder.path("c/" + name)))
    }
    let lost = try BuiltProgram.run(base + course + ["--resume"])
    #expect(lost.status == 65 && lost.errors.contains("No checkpoint"), "\(lost.errors)")
  }

  @Test func `an interrupt leaves a checkpoint`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let arguments =
      [
        "train", table, "--target", "y", "--lr", "0.01", "--steps", "100000000", "--checkpoint",
        folder.path("c"), "--checkpoint-every", "100000000",
      ] + TrainCommandTests.executor
    for delay in [1.0, 4, 15] {
      let outcome = try InterruptTests.interrupted(after: delay, by: SIGTERM, arguments: arguments)
      #expect(outcome.status == 143)
      guard outcome.output.contains("Interrupted after") else { continue }
      #expect(outcome.output.contains("Add --resume to go on."))
      let files = try FileManager.default.contentsOfDirectory(atPath: folder.path("c"))
      #expect(files.count == 1 && files[0].hasSuffix(".checkpoint"))
      return
    }
    Issue.record("no step was taken in fifteen seconds")
  }

  /// A file system of 256 kB that other files fill: root alone can make one.
  @Test(.enabled(if: getuid() == 0, "a small file system is mounted, which root alone may do"))
  func `a full disk ends a run with one sentence`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let place = folder.path("small")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    func command(_ words: [String]) -> Bool {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = words
      process.standardError = FileHandle.nullDevice
      guard (try? process.run()) != nil else { return false }
      process.waitUntilExit()
      return process.terminationStatus == 0
    }
    // A container may forbid it.
    guard command(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place]) else { return }
    defer { _ = command(["umount", "-l", place]) }
    let arguments =
      [
        "train", table, "--target", "y", "--model", "mlp:1000:tanh", "--lr", "0.001", "--batch",
        "8",
        "--checkpoint", place + "/c", "--checkpoint-every", "2", "--keep-checkpoints", "100",
      ]
      + TrainCommandTests.executor
    let full = try BuiltProgram.run(arguments + ["--steps", "200"])
    #expect(full.status == 73 && full.output.isEmpty)
    #expect(
      full.errors.contains("want of room") && full.errors.contains("--resume"), "\(full.errors)")
    let files = try FileManager.default.contentsOfDirectory(atPath: place + "/c").sorted()
    #expect(!files.isEmpty && files.allSatisfy { $0.hasSuffix(".checkpoint") })
    let newest = try #require(files.last)
    let steps = try #require(Int(newest.dropFirst(5).dropLast(11)))
    // Where nothing may be written, that is said at once.
    guard command(["mount", "-o", "remount,ro", place]) else { return }
    let readOnly = try BuiltProgram.run(arguments + ["--steps", "200", "--resume"])
    #expect(readOnly.status == 73 && readOnly.errors.contains("read-only"), "\(readOnly.errors)")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: place + "/c").sorted() == files)
    // Kept elsewhere, the last good one goes on.
    try FileManager.default.copyItem(
      atPath: place + "/c/" + newest, toPath: folder.path("copy"))
    try FileManager.default.createDirectory(
      atPath: folder.path("d"), withIntermediateDirectories: true)
    try FileManager.default.moveItem(
      atPath: folder.path("copy"), toPath: folder.path("d/" + newest))
    let rest =
      arguments.map { $0 == place + "/c" ? folder.path("d") : $0 }
      + ["--steps", "\(steps + 2)", "--resume"]
    let outcome = try BuiltProgram.run(rest)
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test func `a folder that is no place for checkpoints is refused at once`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let file = try folder.write("", to: "file")
    for place in [file, "/proc/eigenstep"] {
      let outcome = try BuiltProgram.run(
        ["train", table, "--target", "y", "--lr", "0.1", "--steps", "5", "--checkpoint", place]
          + TrainCommandTests.executor)
      #expect(outcome.status == 73 && outcome.output.isEmpty && outcome.errors.contains(place))
      #expect(outcome.errors.split(separator: "\n").count == 1)
    }
  }
}
