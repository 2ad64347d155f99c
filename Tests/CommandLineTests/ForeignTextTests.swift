import Foundation
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// Names that others chose do nothing to the terminal, wherever they come from, and JSON has them exactly.
@Suite struct ForeignTextTests {
  /// Commands, a title, a bell, a return, a backspace, C1, bidirectional overrides and isolates, characters
  /// without width, line and paragraph separators, a tag, and a line of its own.
  static let hostile =
    "\u{1B}[31m\u{1B}]0;t\u{7}\u{D}\u{8}\u{9B}2J\u{85}\u{202E}\u{2066}\u{2069}\u{200B}\u{200D}"
    + "\u{FEFF}\u{2028}\u{2029}\u{AD}\u{61C}\u{115F}\u{E0041}\u{7F}end"
  static let broken = hostile + "\nError: forged"

  private func check(
    _ outcome: BuiltProgram.Outcome, _ place: String, lines: Int? = nil, isShown: Bool = true,
    location: SourceLocation = #_sourceLocation
  ) {
    for text in [outcome.output, outcome.errors] {
      let bad = text.unicodeScalars.first { scalar in
        guard scalar != "\n" else { return false }
        // By the code charts, not by the properties that the program asks for.
        return switch scalar.value {
        case 0...0x1F, 0x7F...0x9F, 0xAD, 0x61C, 0x115F, 0x200B...0x200F, 0x2028...0x202E,
          0x2060...0x206F, 0xFEFF, 0xE0000...0xE007F:
          true
        default: false
        }
      }
      #expect(
        bad == nil, "\(place) let \(String(bad?.value ?? 0, radix: 16)) through",
        sourceLocation: location)
    }
    #expect(
      !outcome.errors.split(separator: "\n").contains("Error: forged"), "\(place)",
      sourceLocation: location)
    // The name is there, so that there was something to clean.
    #expect(
      !isShown || (outcome.output + outcome.errors).contains("end"), "\(place)",
      sourceLocation: location)
    if let lines {
      #expect(
        outcome.errors.split(separator: "\n").count == lines, "\(place): \(outcome.errors)",
        sourceLocation: location)
    }
  }

  private static let rows = "1,2000,0.5\n2,1000,1.5\n4,3000,2.5\n3,1500,0.25\n5,2500,3.5\n"

  @Test func `names of columns, in the answer and in JSON`() throws {
    let folder = try TemporaryFolder()
    // A quoted header may hold a line break.
    let name = Self.broken
    let table = try folder.write("a,\"\(name)\",y\n" + Self.rows, to: "t.csv")
    let options = [table, "--target", "y", "--lr", "1e-3"]
    let text = try BuiltProgram.run(["diagnose"] + options)
    #expect(text.status == 0)
    check(text, "a column")
    check(
      try BuiltProgram.run(["spectrum"] + options + ["--per-layer"]), "a spectrum's column",
      isShown: false)
    let json = try BuiltProgram.run(["diagnose"] + options + ["--no-trials", "--json", "-"])
    check(json, "JSON")
    let report = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
    func texts(_ value: Any) -> [String] {
      switch value {
      case let text as String: [text]
      case let list as [Any]: list.flatMap(texts)
      case let object as [String: Any]: object.flatMap { [$0.key] + texts($0.value) }
      default: []
      }
    }
    #expect(texts(report).contains { $0.unicodeScalars.elementsEqual(name.unicodeScalars) })
  }

  @Test func `names and cells of a table in errors`() throws {
    let folder = try TemporaryFolder()
    let name = Self.broken
    let tables: [(String, String, [String])] = [
      ("a stray cell", "a,b,y\n1,1,1\n2,2,2\n\"\(name)\",3,3\n4,4,4\n", ["--target", "y"]),
      ("a text target", "a,y\n1,\"\(name)\"\n2,u\n3,v\n", ["--target", "y", "--model", "linear"]),
      ("one class", "a,y\n1,\"\(name)\"\n2,\"\(name)\"\n", ["--target", "y"]),
      ("an empty column", "\"\(name)\",b,y\n,1,1\n,2,2\n", ["--target", "y"]),
      ("the names there are", "\"\(name)\",y\n1,1\n", ["--target", "z"]),
      ("a target", "a,y\n1,1\n", ["--target", name]),
      ("a dropped column", "a,y\n1,1\n", ["--target", "y", "--drop", name]),
      ("a feature", "a,y\n1,1\n", ["--target", "y", "--features", name]),
      ("an identifier", "\"\(name)\",y\nu,1\nv,2\nw,3\n", ["--target", "y"]),
      ("a missing value", "\"\(name)\",y\n1,1\n,2\n3,3\n", ["--target", "y"]),
    ]
    for (place, text, options) in tables {
      let table = try folder.write(text, to: "t.csv")
      let outcome = try BuiltProgram.run(
        ["diagnose", table, "--missing", "refuse"] + options)
      #expect(outcome.status == 65 && outcome.output.isEmpty, "\(place): \(outcome)")
      check(outcome, place, lines: 1)
    }
  }

  @Test func `classes and notes`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(
      "a,\"\(Self.broken)\",y\n"
        + (0..<12).map {
          "\($0 * $0 % 7),\"\($0 % 2)\(Self.broken)\",\"\($0 % 3)\(Self.broken)\"\n"
        }
        .joined(), to: "t.csv")
    let outcome = try BuiltProgram.run(["diagnose", table, "--target", "y", "--no-trials"])
    #expect(outcome.status == 0, "\(outcome)")
    check(outcome, "classes")
  }

  @Test func `names and paths of files`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write("a,b,y\n" + Self.rows, to: Self.broken + ".csv")
    let outcome = try BuiltProgram.run(["diagnose", table, "--target", "y", "--no-trials"])
    #expect(outcome.status == 0)
    check(outcome, "a file")
    let missing = folder.path("no" + Self.broken)
    check(
      try BuiltProgram.run(["diagnose", missing + ".csv", "--target", "y"]), "no file", lines: 1)
    let unwritable = try BuiltProgram.run([
      "diagnose", table, "--target", "y", "--json", missing + "/r.json",
    ])
    #expect(unwritable.status == 73)
    check(unwritable, "an output", lines: 1)
    check(
      try BuiltProgram.run(["diagnose", table, "--target", "y", "--json", table]), "a collision",
      lines: 1)
    check(
      try BuiltProgram.run(["doctor"], environment: ["ORT_DYLIB_PATH": missing]), "a library")
  }

  @Test(arguments: [
    "--lr", "--model", "--loss", "--at", "--memory", "--features", "--which", "--operator",
    "--executor", "--precondition", "--unknown", "--count", "--data", "--parameters",
  ])
  func `values of options`(option: String) throws {
    let folder = try TemporaryFolder()
    let table = try folder.write("a,b,y\n" + Self.rows, to: "t.csv")
    for text in [Self.hostile, Self.broken] {
      let outcome = try BuiltProgram.run([
        "spectrum", table, "--target", "y", option, "\"" + text,
      ])
      #expect(outcome.status == 64, "\(outcome)")
      check(outcome, option, isShown: false)
    }
    let stray = try BuiltProgram.run(["diagnose", table, "--target", "y", Self.broken])
    #expect(stray.status == 64)
    check(stray, "an argument")
    check(try BuiltProgram.run(["lab", Self.broken]), "a lab")
  }

  @Test func `arrays of a data file, and nodes, inputs and outputs of a model`() throws {
    let folder = try TemporaryFolder()
    let name = Self.broken
    func data(_ arrays: [(name: String, tensor: Tensor)]) throws -> [String] {
      try NpzArchive.write(arrays, to: folder.path("d.npz"))
      try SafetensorsFile.write(arrays, to: folder.path("d.safetensors"))
      return [folder.path("d.npz"), folder.path("d.safetensors")]
    }
    func model(_ made: HandmadeModel) throws -> String {
      try made.data.write(to: URL(fileURLWithPath: folder.path("m.onnx")))
      return folder.path("m.onnx")
    }
    let (x, labels) = (ModelFileTests.x, ModelFileTests.labels)
    let loss = ["--loss", "cross-entropy"]
    for file in try data([(name, x), (name + "2", labels)]) {
      let outcome = try BuiltProgram.run(
        ["diagnose", model(HandmadeModel()), "--data", file] + loss)
      #expect(outcome.status == 65)
      check(outcome, file, lines: 1)
    }
    let weights = HandmadeModel.floats(name, [3, 3], (0..<9).map { Float($0) / 8 })
    let hostile = HandmadeModel(
      nodes: [HandmadeModel.node("MatMul", [name + "x", name], name + "y")], tensors: [weights],
      input: name + "x", output: name + "y")
    let file = try data([(name + "x", x), ("target", labels)])[0]
    for command in ["diagnose", "spectrum"] {
      let outcome = try BuiltProgram.run(
        [command, model(hostile), "--data", file] + loss
          + (command == "spectrum" ? ["--per-layer"] : ["--no-trials", "--lr", "0.1"]))
      #expect(outcome.status == 0, "\(outcome)")
      if command == "spectrum" { check(outcome, "a model's names", isShown: false) }
    }
    let list = try BuiltProgram.run(["diagnose", model(hostile), "--list-parameters"])
    #expect(list.status == 0)
    check(list, "the list of parameters")
    check(
      try BuiltProgram.run(
        ["diagnose", model(hostile), "--data", file, "--parameters", "nothing"] + loss),
      "parameters there are", lines: 1)
    check(
      try BuiltProgram.run(
        ["diagnose", model(hostile), "--data", file, "--output", "z" + name] + loss),
      "an output", lines: 1)
    let unknown = HandmadeModel(nodes: [HandmadeModel.node(name, ["x"], "y")])
    check(
      try BuiltProgram.run(["diagnose", model(unknown), "--data", file] + loss), "an operator",
      lines: 1)
  }
}
