import Foundation
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// No output destroys an input or another output, by whatever name, and none is lost with the terminal.
@Suite struct OutputTests {
  static let table = "a,b,y\n1,2000,0.5\n2,1000,1.5\n4,3000,2.5\n3,1500,0.25\n5,2500,3.5\n"

  /// Another name for the file `name` of a folder.
  enum Spelling: String, CaseIterable, Sendable {
    case same, dotted, detour, symbolicLink, linkToLink, hardLink, linkedFolder

    func path(to name: String, in folder: TemporaryFolder) throws -> String {
      let files = FileManager.default
      let file = folder.path(name)
      let suffix = (name as NSString).pathExtension
      switch self {
      case .same: return file
      case .dotted: return folder.url.path + "/./" + name
      case .detour: return folder.url.path + "/../" + folder.url.lastPathComponent + "/" + name
      case .symbolicLink:
        try files.createSymbolicLink(
          atPath: folder.path("soft.\(suffix)"), withDestinationPath: name)
        return folder.path("soft.\(suffix)")
      case .linkToLink:
        let (one, two) = (folder.path("one.\(suffix)"), folder.path("two.\(suffix)"))
        try files.createSymbolicLink(atPath: one, withDestinationPath: file)
        try files.createSymbolicLink(atPath: two, withDestinationPath: "one.\(suffix)")
        return two
      case .hardLink:
        try files.linkItem(atPath: file, toPath: folder.path("hard.\(suffix)"))
        return folder.path("hard.\(suffix)")
      case .linkedFolder:
        try files.createSymbolicLink(atPath: folder.path("here"), withDestinationPath: ".")
        return folder.path("here") + "/" + name
      }
    }
  }

  /// A folder with a table, a model whose weights lie in `w.safetensors`, data, and a state of Adam.
  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    _ = try folder.write(Self.table, to: "t.csv")
    let weights = (0..<9).map { Float($0) / 8 }
    try weights.withUnsafeBytes { Data($0) }
      .write(to: URL(fileURLWithPath: folder.path("w.safetensors")))
    let model = HandmadeModel(
      tensors: [HandmadeModel.external("w", [3, 3], in: "w.safetensors")])
    try model.data.write(to: URL(fileURLWithPath: folder.path("m.onnx")))
    try NpzArchive.write(
      [("x", ModelFileTests.x), ("target", ModelFileTests.labels)], to: folder.path("d.npz"))
    try NumpyArray.write(Tensor([1.0, 1, 1], shape: [3]), to: folder.path("s.npy"))
    return folder
  }

  private func isIntact(_ folder: TemporaryFolder, _ before: [String: Data]) -> Bool {
    before.allSatisfy { FileManager.default.contents(atPath: folder.path($0)) == $1 }
  }

  private func contents(_ folder: TemporaryFolder) -> [String: Data] {
    folder.contents.reduce(into: [:]) {
      $0[$1] = FileManager.default.contents(atPath: folder.path($1))
    }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let command: [String]
    let option: String
    let input: String
    var testDescription: String { "\(command[0]) \(command[1]), \(option) onto \(input)" }
  }

  private static let onTable = ["t.csv", "--target", "y"]
  private static let onModel = ["m.onnx", "--data", "d.npz", "--loss", "cross-entropy"]

  static let cases: [Case] =
    ["--json", "--profile"].map {
      Case(command: ["diagnose"] + onTable + ["--no-trials"], option: $0, input: "t.csv")
    }
    + ["--json", "--profile", "--diagonal"].map {
      Case(command: ["spectrum"] + onTable, option: $0, input: "t.csv")
    }
    + ["--json", "--profile"].flatMap { option in
      ["m.onnx", "d.npz", "w.safetensors"].map {
        Case(command: ["diagnose"] + onModel + ["--no-trials"], option: option, input: $0)
      }
    }
    + ["diagnose", "spectrum"].flatMap { command in
      ["m.onnx", "w.safetensors"].map {
        Case(command: [command] + onModel, option: "--save-parameters", input: $0)
      }
    }
    + ["--json", "--diagonal"].map {
      Case(
        command: ["spectrum"] + onTable + ["--precondition", "adam:s.npy"], option: $0,
        input: "s.npy")
    }

  @Test(arguments: cases)
  func `an output onto an input is refused and leaves it`(row: Case) throws {
    for spelling in Spelling.allCases {
      let folder = try folder()
      let output = try spelling.path(to: row.input, in: folder)
      let (before, names) = (contents(folder), Set(folder.contents))
      let arguments = row.command.map { word in
        word.hasPrefix("adam:")
          ? "adam:" + folder.path(String(word.dropFirst(5)))
          : before[word] == nil ? word : folder.path(word)
      }
      let outcome = try BuiltProgram.run(arguments + [row.option, output])
      #expect(outcome.status == 64 && outcome.output.isEmpty, "\(spelling): \(outcome)")
      #expect(outcome.errors.contains(row.option) && outcome.errors.contains(row.input))
      #expect(outcome.errors.hasSuffix("another path.\n"))
      #expect(outcome.errors.split(separator: "\n").count == 1)
      #expect(isIntact(folder, before) && Set(folder.contents) == names)
    }
  }

  @Test func `a relative path is the absolute one`() throws {
    let folder = try folder()
    let outcome = try shell(
      "\"$PROGRAM\" diagnose t.csv --target y --no-trials --json \"$PWD/t.csv\"", in: folder)
    #expect(outcome.status == 64 && outcome.errors.contains("--json"))
    #expect(try String(contentsOfFile: folder.path("t.csv"), encoding: .utf8) == Self.table)
  }

  @Test(arguments: [
    ("out.json", "out.json"), ("out.json", "./out.json"), ("out.json", "here/out.json"),
    ("dangling.json", "out.json"), ("here/dangling.json", "out.json"),
  ])
  func `two outputs onto one file are refused`(first: String, second: String) throws {
    let folder = try folder()
    let files = FileManager.default
    try files.createSymbolicLink(atPath: folder.path("here"), withDestinationPath: ".")
    try files.createSymbolicLink(
      atPath: folder.path("dangling.json"), withDestinationPath: "out.json")
    for (command, one, other) in [
      ("diagnose", "--json", "--profile"), ("spectrum", "--json", "--diagonal"),
      ("spectrum", "--diagonal", "--profile"),
    ] {
      let outcome = try BuiltProgram.run([
        command, folder.path("t.csv"), "--target", "y", one, folder.path(first), other,
        folder.url.path + "/" + second,
      ])
      #expect(outcome.status == 64 && outcome.output.isEmpty)
      #expect(outcome.errors.contains(one) && outcome.errors.contains(other))
      #expect(!files.fileExists(atPath: folder.path("out.json")))
    }
  }

  @Test func `a link to no file yet is written through`() throws {
    let folder = try folder()
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("link.json"), withDestinationPath: "out.json")
    let outcome = try BuiltProgram.run(["lab", "bowls", "--json", folder.path("link.json")])
    #expect(outcome.status == 0 && folder.contents.contains("out.json"))
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: folder.path("link.json"))
        == "out.json")
  }

  /// Runs a line of the shell in a folder; `$PROGRAM` is the program.
  private func shell(_ line: String, in folder: TemporaryFolder) throws -> BuiltProgram.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", line]
    process.currentDirectoryURL = folder.url
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PROGRAM": BuiltProgram.url.path]
    ) { $1 }
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return .init(
      status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
      errors: String(decoding: complained, as: UTF8.self))
  }

  @Test(arguments: [
    "diagnose t.csv --target y --no-trials", "spectrum t.csv --target y", "lab bowls", "doctor",
  ])
  func `JSON in a file is whole where standard output is broken`(command: String) throws {
    // What the writer to a pipe without a reader ends with, or a shell says for a signal.
    for (redirection, codes) in [("| true", [141, 73]), (">&-", [73]), ("> /dev/full", [73])] {
      #if !os(Linux)
        if redirection.contains("full") { continue }
      #endif
      let folder = try folder()
      // A reader that is gone before the program starts printing.
      let line =
        redirection == "| true"
        ? "{ sleep 0.2; \"$PROGRAM\" \(command) --json r.json; echo $? > code; } | true"
        : "\"$PROGRAM\" \(command) --json r.json \(redirection); echo $? > code"
      _ = try shell(line, in: folder)
      let code = try String(contentsOfFile: folder.path("code"), encoding: .utf8)
      #expect(codes.contains(Int(code.dropLast()) ?? 0), "\(redirection): \(code)")
      let data = try Data(contentsOf: URL(fileURLWithPath: folder.path("r.json")))
      #expect(try JSONSerialization.jsonObject(with: data) is [String: Any])
      #expect(!folder.contents.contains { $0.hasSuffix(".part") })
    }
  }

  @Test func `the file that standard output goes to is no other output and no input`() throws {
    let folder = try folder()
    let start = "\"$PROGRAM\" diagnose t.csv --target y --no-trials"
    let output = try shell("\(start) --json r.json > r.json", in: folder)
    #expect(output.status == 64 && output.errors.contains("standard output"))
    let input = try shell("\(start) >> t.csv", in: folder)
    #expect(input.status == 64 && input.errors.contains("standard output"))
    #expect(try String(contentsOfFile: folder.path("t.csv"), encoding: .utf8) == Self.table)
  }
}
