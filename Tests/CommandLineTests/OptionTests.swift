import Diagnosis
import Foundation
import ProgramRuns
import Testing
import EigenstepCommand

@Suite struct OptionTests {
  @Test(arguments: [
    [], ["diagnose"], ["spectrum"], ["train"], ["sweep"], ["run"], ["doctor"], ["lab"],
  ])
  func `help and version everywhere`(command: [String]) throws {
    let version = try BuiltProgram.run(command + ["--version"])
    #expect(version.status == 0 && version.output == "0.1.0\n" && version.errors.isEmpty)
    let help = try BuiltProgram.run(command + ["--help"], environment: ["COLUMNS": "80"])
    #expect(help.status == 0 && help.errors.isEmpty && !help.output.contains("\u{1B}"))
    try expectSnapshot(help.output, named: "help-\(command.first ?? "eigenstep").txt")
  }

  @Test func `directions are counted among all parameters`() throws {
    let folder = try TemporaryFolder()
    let names = (0..<12).map { "c\($0)" }.joined(separator: ",")
    let rows = (0..<40).map { row in
      (0..<12).map { "\(sin(Double(row * 13 + $0 * $0)) * Double($0 + 1))" }.joined(separator: ",")
        + ",\(row * row % 3 == 0 ? "u" : row % 2 == 0 ? "v" : "w")"
    }
    let table = try folder.write(
      ([names + ",y"] + rows).joined(separator: "\n") + "\n", to: "t.csv")
    let outcome = try BuiltProgram.run(["diagnose", table, "--target", "y", "--no-trials"])
    // Three classes, twelve columns and a bias.
    #expect(outcome.output.contains("39 parameters"))
    #expect(outcome.output.contains("(the 4 sharpest and the 4 flattest of 39)"))
  }

  @Test func `weight decay makes Adam the optimizer that has one`() throws {
    let folder = try TemporaryFolder()
    let rows = (0..<20).map { "\(sin(Double($0))),\(cos(Double($0 * $0)))" }
    let table = try folder.write((["a,y"] + rows).joined(separator: "\n") + "\n", to: "t.csv")
    let outcome = try BuiltProgram.run([
      "diagnose", table, "--target", "y", "--optimizer", "adam", "--weight-decay", "0.1",
      "--no-trials",
    ])
    #expect(outcome.status == 0 && outcome.output.contains("AdamW with weight decay 0.1"))
  }

  /// What is wrong, and a word of the complaint.
  static let refusals: [([String], String)] = [
    (["--lr", "0"], "--lr"), (["--lr", "-1"], "above 0"), (["--lr", "nan"], "--lr"),
    (["--lr", "inf"], "--lr"), (["--lr", "1:2:3"], "sweep"), (["--lr", "fast"], "fast"),
    (["--model", "tree"], "tree"),
    (["--model", "mlp:64:sin"], "sin"), (["--model", "mlp:0"], "widths"),
    (["--precision", "float16"], "float32"), (["--executor", "tpu"], "onnxruntime"),
    (["--optimizer", "adamax"], "momentum"), (["--loss", "hinge"], "mse"),
    (["--batch", "0"], "--batch"), (["--sampling", "shuffle"], "--batch"),
    (["--batch", "2", "--sampling", "random"], "shuffle"),
    (["--weight-decay", "0.1", "--optimizer", "rmsprop"], "--l2"),
    (["--weight-decay", "-1"], "decay"),
    (["--tolerance", "0"], "--tolerance"), (["--tolerance", "1"], "--tolerance"),
    (["--tolerance", "nan"], "--tolerance"), (["--momentum", "1"], "--momentum"),
    (["--beta1", "-0.1"], "--beta1"), (["--beta2", "1.5"], "--beta2"), (["--l2", "-1"], "--l2"),
    (["--threads", "0"], "--threads"), (["--max-iterations", "0"], "--max-iterations"),
    (["--memory", "much"], "2GiB"), (["--memory", "0"], "2GiB"), (["--memory", "-1GiB"], "2GiB"),
    (["--at", "10"], "--lr"), (["--at", "-1", "--lr", "1"], "init"),
    (["--features", "a,y"], "target"), (["--drop", "y"], "--drop"),
    (["--features", "a,,b"], "a,,b"),
    (["--model", "softmax", "--loss", "mse"], "cross-entropy"),
    (["--model", "linear", "--loss", "cross-entropy"], "softmax"), (["--missing", "zero"], "mean"),
    (["--wrong"], "--wrong"), (["--seed", "-4"], "--seed"),
    (["--threads", "9223372036854775807"], "processor"), (["--threads", "100000"], "processor"),
    (["--at", "9223372036854775807", "--lr", "1"], "at most"),
    (["--max-iterations", "9223372036854775807"], "at most"),
    (["--model", "mlp:1000000,1000000"], "memory"),
    (["--seed", "9223372036854775808"], "--seed"), (["--lr", "1e309"], "--lr"),
  ]

  @Test(arguments: refusals)
  func `a wrong option is named`(options: [String], word: String) throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("a,y\n1,2\n2,3\n", to: "t.csv")
    let outcome = try BuiltProgram.run(["diagnose", file, "--target", "y"] + options)
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty && outcome.errors.contains(word), "\(outcome.errors)")
  }

  @Test func `what is missing is named`() throws {
    let bare = try BuiltProgram.run(["diagnose"])
    #expect(bare.status == 64 && bare.errors.contains("<file>"))
    let absent = try BuiltProgram.run(["diagnose", "/no/such.csv", "--target", "y"])
    #expect(absent.status == 66 && absent.errors.contains("/no/such.csv"))
    let folder = try BuiltProgram.run(["diagnose", "/tmp", "--target", "y"])
    #expect(folder.status == 66 && folder.errors.contains("folder"))
    #expect(absent.output.isEmpty && folder.output.isEmpty)
  }

  @Test func `memory sizes`() throws {
    #expect(try OptionValue.bytes("2GiB") == 2_147_483_648)
    #expect(try OptionValue.bytes("512 MiB") == 536_870_912)
    #expect(try OptionValue.bytes("1.5GB") == 1_500_000_000)
    #expect(try OptionValue.bytes("4096") == 4096)
    #expect(try OptionValue.bytes("10kb") == 10_000)
    for bad in ["", "GiB", "-1", "0.1", "1e9GiB", "nan", "2XB", "9999999999TiB"] {
      #expect(throws: (any Error).self, "\(bad)") { try OptionValue.bytes(bad) }
    }
  }

  @Test func `threads that the machine has`() throws {
    try OptionValue.checkThreads(2, processors: 2)
    try OptionValue.checkThreads(1, processors: 1)
    for (threads, processors) in [(3, 2), (.max, 64), (0, 2), (-1, 2)] {
      #expect(throws: (any Error).self) {
        try OptionValue.checkThreads(threads, processors: processors)
      }
    }
  }

  @Test func `column lists`() throws {
    #expect(try OptionValue.names("a, b,c d") == ["a", "b", "c d"])
    #expect(try OptionValue.names("\"a,b\",c") == ["a,b", "c"])
    for bad in ["", ",", "a,", "\"a"] {
      #expect(throws: (any Error).self, "\(bad)") { try OptionValue.names(bad) }
    }
  }
}
