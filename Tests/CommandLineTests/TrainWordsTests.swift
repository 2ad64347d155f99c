import Diagnosis
import Foundation
import ProgramRuns
import TensorFiles
import Testing

/// What training says: what it refuses, what it advises at the end, and how it goes on.
@Suite struct TrainWordsTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func example(_ name: String) -> String {
    root.appendingPathComponent("Examples/\(name)").path
  }

  private static let digits = [
    example("digits.onnx"), "--data", example("digits.npz"), "--loss", "cross-entropy",
  ]

  private func run(_ words: [String]) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(words + TrainCommandTests.executor)
  }

  /// On one line, as the lines are broken by their length.
  private func flat(_ text: String) -> String {
    text.split { $0.isWhitespace }.joined(separator: " ")
  }

  private func report(_ outcome: BuiltProgram.Outcome) throws -> TrainingReport {
    try JSONDecoder().decode(TrainingReport.self, from: Data(outcome.output.utf8))
  }

  @Test func `standardised columns, and what of them is saved`() throws {
    let folder = try TemporaryFolder()
    let saved = folder.path("w.safetensors")
    let wine = [
      "train", Self.example("wine.csv"), "--target", "class", "--model", "linear", "--lr", "0.404",
      "--steps", "92", "--standardise", "--save", saved,
    ]
    let outcome = try run(wine + ["--json", "-"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try #require(try report(outcome).after.rSquared) > 0.89)
    let file = try SafetensorsFile(saved)
    #expect(
      Set(file.keys) == [
        "weights", "bias", "given.weights", "given.bias", "standardise.mean",
        "standardise.deviation",
      ])
    #expect(file.metadata["standardise.columns"]?.contains("proline") == true)
    let scales = try file.tensor("standardise.deviation").doubles
    let (weights, given) = (
      try file.tensor("weights").doubles, try file.tensor("given.weights").doubles
    )
    #expect(zip(zip(weights, given), scales).allSatisfy { abs($0.0 / $1 - $0.1) < 1e-12 })
    #expect(flat(try run(wine).output).contains("over these 178 rows: --standardise."))
    let sweep = try run([
      "sweep", Self.example("wine.csv"), "--target", "class", "--model", "linear", "--standardise",
      "--lr", "0.1:0.4:2", "--steps", "5",
    ])
    #expect(sweep.status == 0 && flat(sweep.output).contains("--standardise"), "\(sweep.errors)")
    let model = try run(["train"] + Self.digits + ["--lr", "0.1", "--steps", "2", "--standardise"])
    #expect(model.status == 64 && model.errors.contains("--data"), "\(model.errors)")
  }

  @Test(arguments: [
    ["train", "--lr", "0.1", "--steps", "9"], ["train", "--lr", "auto", "--steps", "9"],
    ["sweep", "--lr", "0.1:1:2", "--steps", "9"], ["diagnose"],
  ]) func `a column too large to be squared is named`(words: [String]) throws {
    let folder = try TemporaryFolder()
    let rows = (0..<20).map { "\(Double($0) * 1e199),\($0 % 3),\($0 % 5)" }
    let table = try folder.write(
      (["big,b,y"] + rows).joined(separator: "\n") + "\n", to: "t.csv")
    let command = [words[0], table, "--target", "y", "--model", "linear"] + words.dropFirst()
    let refused = try run(command)
    #expect(refused.status == 65, "\(refused.output)\(refused.errors)")
    #expect(refused.errors.contains("'big'") && refused.errors.contains("--standardise"))
    let mended = try run(command + ["--standardise"])
    #expect(mended.status == 0, "\(mended.errors)")
  }

  @Test func `a gradient that is no number names its layer`() throws {
    let lost = try run(["train"] + Self.digits + ["--lr", "100", "--steps", "40"])
    let words = flat(lost.output)
    #expect(lost.status == 1)
    #expect(words.contains("is not finite before step"), "\(words)")
    #expect(
      words.contains("it comes from the operation")
        || words.contains("is too large to be squared in float32"), "\(words)")
    #expect(words.contains("`eigenstep diagnose "))
  }

  @Test func `the end of a run says what is wrong, with a command that works`() throws {
    let wine = ["train", Self.example("wine.csv"), "--target", "class"]
    let slow = try report(
      run(wine + ["--model", "softmax", "--lr", "1e-6", "--steps", "50", "--json", "-"]))
    let advice = try #require(slow.next.first)
    #expect(advice.hasPrefix("The loss still fell when the steps were over"))
    #expect(slow.next.last?.contains("add --standardise") == true)
    let command = try #require(advice.split(separator: "`").dropFirst().first)
    let words = command.split(separator: " ").dropFirst().map(String.init)
    #expect(words.suffix(2) == ["--lr", "1e-6"] && words[0] == "diagnose")
    #expect(try run(words + ["--no-trials"]).status == 0)
    let chance = try report(
      run(
        ["train"] + Self.digits + [
          "--optimizer", "momentum", "--lr", "1", "--batch", "32", "--steps", "40", "--json", "-",
        ]))
    #expect(
      chance.next.contains { $0.contains("nothing is learned of the inputs") }, "\(chance.next)")
    let done = try report(
      run(
        wine + [
          "--model", "softmax", "--standardise", "--lr", "0.5", "--steps", "600", "--json", "-",
        ]))
    #expect(done.next.allSatisfy { !$0.contains("nothing is learned") })
    #expect(done.after.accuracy == 1)
  }

  @Test func `a rate that is a factor is said to be one`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let outcome = try run([
      "train", table, "--target", "y", "--optimizer", "prodigy", "--lr", "0.05", "--steps", "40",
    ])
    #expect(flat(outcome.output).contains("is a factor of that: 1 is meant."), "\(outcome.output)")
  }

  @Test func `what would be ignored is refused by its name`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    for (options, word) in [
      (["--no-decay", "biases"], "--no-decay"),
      (["--keep-checkpoints", "3"], "--keep-checkpoints"),
      (["--checkpoint-every", "2"], "--checkpoint-every"),
      (["--optimizer", "adam:"], "beta2=0.99"),
      (["--optimizer", "adam:beta1=0.5,beta1=0.6"], "twice"), (["--beta1", "0.8"], "--beta1"),
      (["--track", "sharpness", "--track", "sharpness:period=5"], "twice"),
      (["--warm-up", "1e300"], "--warm-up"), (["--rate", "*=0x"], "--rate"),
      (["--rate", "layer1.*=-1x"], "The factor of --rate for 'layer1.*'"),
      (["--rate", "scale=2x"], "weights, bias"), (["--features", "y"], "cannot be a feature"),
      (["--batch", "1", "--track", "gradient-noise"], "gradient-noise"),
      (["--batch", "4", "--accumulate", "100000000000000"], "accumulate at most 10"),
      (["--schedule", "cos"], "did you mean cosine?"), (["--log", table], "is a file"),
      (["--optimizer", "momentum", "--momentum", "2"], "momentum"),
    ] {
      let outcome = try run(
        ["train", table, "--target", "y", "--lr", "0.1", "--steps", "2"] + options)
      #expect(outcome.status == 64, "\(options): \(outcome.status)")
      #expect(outcome.errors.contains(word), "\(options): \(outcome.errors)")
    }
    #expect(folder.contents == ["t.csv"])
  }

  @Test func `numbers have one name in all, and are listed`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let base = ["train", table, "--target", "y", "--lr", "0.1", "--steps", "9", "--json", "-"]
    let one = try run(
      base + ["--optimizer", "momentum:momentum=0.5", "--track", "sharpness:every=4"])
    let two = try run(
      base + ["--optimizer", "momentum", "--momentum", "0.5", "--track", "sharpness:period=4"])
    #expect(try one.status == 0 && report(one).after == report(two).after, "\(one.errors)")
    #expect(try report(one).request == report(two).request)
    let line = try report(run(base + ["--schedule", "linear"]))
    #expect(line.request.schedule.name == "polynomial")
    let all = try BuiltProgram.run(["settings"]).output
    for name in ["adamw", "lbfgs", "one-cycle", "sharpness", "period", "beta2"] {
      #expect(all.contains(name))
    }
    let adam = try BuiltProgram.run(["settings", "adam"]).output
    #expect(adam.contains("beta1") && !adam.contains("lbfgs"))
    let wrong = try BuiltProgram.run(["settings", "adamm"])
    #expect(wrong.status == 64 && wrong.errors.contains("adam"))
    #expect(try run(["train"] + Self.digits.prefix(3) + ["--list-parameters"]).status == 0)
  }

  @Test func `a result is repeated without what its run left`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let result = folder.path("a.json")
    let first = try run([
      "train", table, "--target", "y", "--lr", "0.1", "--steps", "9", "--json", result,
      "--checkpoint", folder.path("c"), "--log", folder.path("log"), "--save",
      folder.path("w.safetensors"),
    ])
    #expect(first.status == 0, "\(first.errors)")
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.path("w.safetensors")))
    try FileManager.default.removeItem(atPath: folder.path("w.safetensors"))
    let again = try BuiltProgram.run(["run", result])
    #expect(again.status == 0, "\(again.errors)")
    #expect(again.output.contains("All 9 steps are taken."))
    #expect(!folder.contents.contains("w.safetensors"))
    let kept = try BuiltProgram.run([
      "run", result, "--checkpoint", folder.path("c2"), "--log", folder.path("log2"), "--save",
      folder.path("w2.safetensors"),
    ])
    #expect(kept.status == 0 && folder.contents.contains("c2"), "\(kept.errors)")
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path("w2.safetensors"))) == before)
  }

  @Test func `going on says what is not the same`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    func train(_ options: [String], _ name: String) throws -> BuiltProgram.Outcome {
      try run(
        ["train", table, "--target", "y", "--checkpoint", folder.path(name), "--resume"] + options)
    }
    let cosine = ["--lr", "0.1", "--schedule", "cosine", "--steps"]
    #expect(try train(cosine + ["40"], "a").status == 0)
    for (options, words) in [
      (
        ["--lr", "0.2", "--schedule", "cosine", "--steps", "40"], "its --lr was 0.1 and is 0.2 now"
      ),
      (["--lr", "0.1", "--steps", "40"], "its --schedule was cosine and is constant now"),
      (cosine + ["40", "--clip-norm", "1"], "its --clip-norm was not given and is 1.0 now"),
      (
        cosine + ["40", "--model", "mlp:3:tanh"], "its --model was not given and is mlp:3:tanh now"
      ),
      (cosine + ["40", "--precision", "float32"], "it is in float64"),
    ] {
      let refused = try train(options, "a")
      #expect(refused.status == 64 && refused.errors.contains(words), "\(refused.errors)")
    }
    let longer = try train(cosine + ["80"], "a")
    #expect(longer.status == 0)
    #expect(
      flat(longer.output).contains("The run was begun for 40 steps and goes on to 80"),
      "\(longer.output)")
    // A run that has ended is not resumed, and its checkpoint is named.
    let done = try report(train(cosine + ["80", "--json", "-"], "a"))
    #expect(done.length.resumedAfter == [40])
    #expect(done.checkpoints?.step == 80 && done.checkpoints?.newest?.contains("step-") == true)
    let auto = ["--lr", "auto", "--steps"]
    let chosen = try report(train(auto + ["20", "--json", "-"], "b"))
    let later = try report(train(auto + ["30", "--json", "-"], "b"))
    #expect(later.rate.chosen != nil && later.rate.chosen == chosen.rate.chosen)
    #expect(later.problem.notes.contains("The rate was chosen for 20 steps."))
  }

  @Test func `a folder of checkpoints is one run's`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let place = folder.path("c")
    let short = [
      "train", table, "--target", "y", "--lr", "0.1", "--steps", "3", "--checkpoint", place,
      "--resume",
    ]
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let lock = open(place + "/.lock", O_RDWR | O_CREAT, 0o644)
    defer { close(lock) }
    // What a run that was killed leaves keeps nobody out.
    #expect(write(lock, "99999\n", 6) == 6)
    #expect(flock(lock, LOCK_EX) == 0)
    let second = try run(short)
    #expect(second.status == 64 && second.errors.contains("99999"), "\(second.errors)")
    #expect(flock(lock, LOCK_UN) == 0)
    #expect(try run(short).status == 0)
  }

  @Test func `a limit on the size of files is told`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(TrainCommandTests.numbers, to: "t.csv")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments =
      ["-c", "ulimit -f 8; exec \"$0\" \"$@\"", BuiltProgram.url.path]
      + [
        "train", table, "--target", "y", "--model", "mlp:4000:tanh", "--lr", "0.01", "--steps", "3",
        "--checkpoint", folder.path("c"),
      ] + TrainCommandTests.executor
    let errors = Pipe()
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    let words = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 73)
    #expect(words.contains("cannot be written"), "\(words)")
  }
}
