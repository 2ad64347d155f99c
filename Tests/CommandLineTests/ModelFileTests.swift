import Foundation
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

/// `eigenstep diagnose` and `spectrum` on a model file, through the built program. The model is
/// `gain tanh(x w) + b` with three inputs.
@Suite struct ModelFileTests {
  static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures").path

  static let x = Tensor(
    (0..<24).map { Float(sin(Double($0) * 1.7)) }, shape: [8, 3])
  static let labels = Tensor((0..<8).map { Int64($0 * 5 % 3) }, shape: [8])

  /// A folder with `batch.npz` of these arrays.
  private func folder(
    _ arrays: [(name: String, tensor: Tensor)] = [("x", x), ("target", labels)]
  ) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try NpzArchive.write(arrays, to: folder.path("batch.npz"))
    return folder
  }

  private func run(
    _ folder: TemporaryFolder, _ options: [String], command: String = "diagnose",
    model: String = "gate.onnx"
  ) throws -> BuiltProgram.Outcome {
    try BuiltProgram.run(
      [command, "\(Self.fixtures)/\(model)", "--executor", "reference"]
        + options.map { $0 == "DATA" ? folder.path("batch.npz") : $0 })
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    var arrays: [(name: String, tensor: Tensor)] = [("x", x), ("target", labels)]
    var options = ["--data", "DATA", "--loss", "cross-entropy"]
    var status: Int32 = 65
    /// What the sentence must name.
    let words: [String]
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "no data", options: ["--loss", "mse"], status: 64, words: ["--data", "gate.onnx"]),
    Row(
      name: "no loss", options: ["--data", "DATA"], status: 64,
      words: ["--loss", "cross-entropy", "--loss-output"]),
    Row(
      name: "an unknown loss", options: ["--data", "DATA", "--loss", "hinge"], status: 64,
      words: ["hinge", "huber"]),
    Row(
      name: "no data file", options: ["--data", "/no/such.npz", "--loss", "mse"],
      status: 66, words: ["/no/such.npz"]),
    Row(
      name: "a column for a table",
      options: ["--data", "DATA", "--loss", "mse", "--features", "a"],
      status: 64, words: ["--features", "table"]),
    Row(
      name: "a shape that does not fit",
      arrays: [("x", Tensor(repeating: 1, type: .float32(8, 4))), ("target", labels)],
      words: ["'x'", "[batch, 3]", "[8, 4]"]),
    Row(
      name: "an input without an array", arrays: [("y", x), ("z", x), ("target", labels)],
      words: ["'x'", "'y'", "'z'"]),
    Row(
      name: "no target", arrays: [("x", x), ("label", labels)],
      words: ["'target'", "--target label"]),
    Row(
      name: "samples that differ", arrays: [("x", x), ("target", labels.samples(5))],
      words: ["[8, 3]", "[5]"]),
    Row(
      name: "a label out of range",
      arrays: [("x", x), ("target", Tensor([0, 1, 2, 1, 0, 7, 1, 2] as [Int64], shape: [8]))],
      words: ["label 7", "index 5", "3 classes"]),
    Row(
      name: "a label that no double holds",
      arrays: [("x", x), ("target", Tensor([0, 1, 2, 1, 0, .max, 1, 2] as [Int64], shape: [8]))],
      words: ["9.22", "index 5"]),
    Row(
      name: "a label of no kind for binary",
      arrays: [("x", x), ("target", Tensor((0..<24).map { Int64($0 % 3) }, shape: [8, 3]))],
      options: ["--data", "DATA", "--loss", "binary"], words: ["holds 2", "[0, 2]", "binary"]),
    Row(
      name: "labels that count from 1",
      arrays: [("x", x), ("target", Tensor([3, 1, 2, 1, 3, 2, 1, 2] as [Int32], shape: [8]))],
      words: ["label 3", "subtract 1"]),
    Row(
      name: "labels with fractions",
      arrays: [("x", x), ("target", Tensor([Float](repeating: 0.5, count: 8), shape: [8]))],
      words: ["0.5", "whole-number"]),
    Row(
      name: "NaN in the data",
      arrays: [
        ("x", Tensor((0..<24).map { $0 == 7 ? Float.nan : 1 }, shape: [8, 3])), ("target", labels),
      ],
      words: ["batch.npz", "'x'", "[2, 1]", "NaN"]),
    Row(
      name: "a target of another shape", options: ["--data", "DATA", "--loss", "mse"],
      words: ["int64[8]", "[8, 3]", "mse"]),
    Row(
      name: "no such output",
      options: ["--data", "DATA", "--loss", "mse", "--output", "probabilities"], status: 64,
      words: ["probabilities", "logits"]),
    Row(
      name: "a loss that is no number", options: ["--data", "DATA", "--loss-output", "logits"],
      words: ["logits", "[8, 3]", "one number"]),
    Row(
      name: "no gradient path",
      options: ["--data", "DATA", "--loss", "cross-entropy", "--output", "untrained"],
      words: ["untrained", "no gradient"]),
    Row(
      name: "no parameters left",
      options: ["--data", "DATA", "--loss", "cross-entropy", "--freeze", "*"],
      words: ["No parameters", "--list-parameters"]),
    Row(
      name: "no such parameter",
      options: ["--data", "DATA", "--loss", "cross-entropy", "--freeze", "encoder.*"], status: 64,
      words: ["encoder.*", "scale.weight"]),
    Row(
      name: "too many samples",
      options: ["--data", "DATA", "--loss", "cross-entropy", "--samples", "9"], status: 64,
      words: ["9", "8"]),
    Row(
      name: "a folder that is not there",
      options: [
        "--data", "DATA", "--loss", "cross-entropy", "--save-parameters", "/no/such/p.onnx",
      ], status: 73, words: ["/no/such/p.onnx"]),
  ]

  @Test(arguments: rows) func `is refused in one sentence`(row: Row) throws {
    let folder = try folder(row.arrays)
    let outcome = try run(folder, row.options)
    #expect(outcome.status == row.status, "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    let first = outcome.errors.split(separator: "\n").first ?? ""
    #expect(first.hasPrefix("Error: "))
    for word in row.words {
      #expect(first.lowercased().contains(word.lowercased()), "\(word) in \(first)")
    }
    #expect(Set(folder.contents) == ["batch.npz"])
  }

  @Test func `options of a model file do not go with a table`() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(BadInputTests.good, to: "t.csv")
    for option in [
      ["--samples", "2"], ["--training"], ["--parameters", "w*"], ["--data", "b.npz"],
    ] {
      let outcome = try BuiltProgram.run(["diagnose", path, "--target", "y"] + option)
      #expect(outcome.status == 64 && outcome.errors.contains(option[0]), "\(outcome.errors)")
    }
  }

  @Test func `the parameters, and why others are none`() throws {
    let folder = try folder()
    let outcome = try run(folder, ["--list-parameters", "--freeze", "gain*"])
    #expect(outcome.status == 0)
    try expectSnapshot(outcome.output, named: "list-parameters.txt")
  }

  @Test func `a diagnosis`() throws {
    let folder = try folder()
    let outcome = try run(
      folder,
      [
        "--data", "DATA", "--loss", "cross-entropy", "--precision", "float64", "--lr", "0.1",
        "--max-iterations", "30",
        "--json",
        folder.path("r.json"),
      ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    try expectSnapshot(outcome.output, named: "model-file.txt")
    let report = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(fileURLWithPath: folder.path("r.json"))))
    let problem = try #require((report as? [String: Any])?["problem"] as? [String: Any])
    #expect(problem["parameters"] as? Int == 7 && problem["samples"] as? Int == 8)
    #expect(problem["layers"] as? Int == 2 && problem["features"] is NSNull)
    #expect(problem["name"] as? String == "gate.onnx" && problem["data"] as? String == "batch.npz")
    #expect(problem["lossName"] as? String == "cross-entropy")
  }

  /// Each batch of a fixed size by itself gives the loss and the sharpness of all at once.
  @Test func `a fixed batch gives the same as a free one`() throws {
    let folder = try folder()
    let loss = ["--data", "DATA", "--loss", "cross-entropy", "--precision", "float64"]
    let reports = try ["gate.onnx", "gate-of-4.onnx"].map { model -> [String: Any] in
      let outcome = try run(folder, loss + ["--json", "-"], command: "spectrum", model: model)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try #require(
        JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }
    let values = reports.map {
      (($0["largest"] as? [[String: Any]])?.first?["value"] as? Double) ?? 0
    }
    #expect(values[0] > 0 && abs(values[0] - values[1]) < 1e-12 * values[0])
    var wrong = Self.labels.doubles.map { Int64($0) }
    wrong[6] = -1
    let outside = try self.folder([("x", Self.x), ("target", Tensor(wrong, shape: [8]))])
    let label = try run(outside, loss, model: "gate-of-4.onnx")
    #expect(label.status == 65 && label.errors.contains("label -1"), "\(label.errors)")
    let refused = try run(folder, loss + ["--samples", "6"], model: "gate-of-4.onnx")
    #expect(refused.status == 65 && refused.errors.contains("--samples 4"), "\(refused.errors)")
  }

  @Test func `saved parameters are those of the point, in both kinds of file`() throws {
    let folder = try folder()
    let (tensors, model) = (folder.path("p.safetensors"), folder.path("p.onnx"))
    let common = [
      "--data", "DATA", "--loss", "cross-entropy", "--lr", "0.5", "--no-trials", "--at", "3",
    ]
    for path in [tensors, model] {
      let outcome = try run(folder, common + ["--save-parameters", path])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let saved = try SafetensorsFile(tensors)
    #expect(Set(saved.keys) == ["scale.weight", "scale.bias", "gain.weight"])
    let moved = try saved.tensor("scale.weight").doubles
    #expect(zip(moved, [0.5, -1, 2]).contains { abs($0 - $1) > 1e-3 })
    // The written model goes on from there: its loss at its start is the other's after 3 steps.
    func loss(_ arguments: [String]) throws -> Double {
      let outcome = try BuiltProgram.run(arguments + ["--executor", "reference", "--json", "-"])
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
      let problem = (report as? [String: Any])?["problem"] as? [String: Any]
      return try #require(problem?["loss"] as? Double)
    }
    let options = common.map { $0 == "DATA" ? folder.path("batch.npz") : $0 }
    let after = try loss(["diagnose", "\(Self.fixtures)/gate.onnx"] + options)
    let again = try loss(["diagnose", model] + options.dropLast(2))
    #expect(abs(after - again) < 1e-6)
    #expect(Set(folder.contents) == ["batch.npz", "p.safetensors", "p.onnx"])
  }

  @Test func `class probabilities in float64 are labels spelled out`() throws {
    let values = Self.labels.doubles.flatMap { label in
      (0..<3).map { Double($0) == label ? 1.0 : 0 }
    }
    let losses = try [Self.labels, Tensor(values, shape: [8, 3])].map { target in
      let folder = try self.folder([("x", Self.x), ("target", target)])
      let outcome = try run(
        folder, ["--data", "DATA", "--loss", "cross-entropy", "--no-trials", "--json", "-"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
      let problem = (report as? [String: Any])?["problem"] as? [String: Any]
      return try #require(problem?["loss"] as? Double)
    }
    #expect(abs(losses[0] - losses[1]) < 1e-6)
  }

  @Test func `a table's column may be called as its features are`() throws {
    let folder = try self.folder()
    let rows = (0..<8).map { "\($0).5,\($0 % 2),1,\($0 % 3)" }
    try ("a,b,c,x\n" + rows.joined(separator: "\n") + "\n").write(
      toFile: folder.path("t.csv"), atomically: true, encoding: .utf8)
    let options = ["--data", folder.path("t.csv"), "--loss", "cross-entropy", "--no-trials"]
    let outcome = try run(folder, options + ["--target", "x"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let missing = try run(folder, options + ["--target", "y"])
    #expect(missing.status == 65 && missing.errors.contains("columns are: a, b, c, x"))
  }

  @Test func `the profile names the model's nodes`() throws {
    let folder = try folder()
    let path = folder.path("profile.json")
    let outcome = try BuiltProgram.run([
      "spectrum", "\(Self.fixtures)/gate.onnx", "--data", folder.path("batch.npz"),
      "--loss", "cross-entropy", "--profile", path,
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let text = try Data(contentsOf: URL(fileURLWithPath: path))
    let profile = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
    #expect(profile["schema"] as? String == "eigenstep.profile/1")
    let entries = try #require(profile["entries"] as? [[String: Any]])
    #expect(entries.contains { $0["source"] is String && $0["runs"] as? Int ?? 0 > 0 })
    let total = entries.reduce(0) { $0 + ($1["milliseconds"] as? Double ?? 0) }
    #expect(abs(total - (profile["milliseconds"] as? Double ?? -1)) < 1e-6 * total)
    let refused = try run(folder, ["--data", "DATA", "--loss", "mse", "--profile", path])
    #expect(refused.status == 64 && refused.errors.contains("--executor reference"))
  }

  @Test func `the model's own loss`() throws {
    let folder = try folder()
    let outcome = try run(
      folder, ["--data", "DATA", "--loss-output", "energy", "--precision", "float64"])
    // Of g^2 the curvature is 2, wherever it is.
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("energy") && outcome.output.contains("no data"))
    #expect(outcome.output.contains("1 parameter"))
  }
}

extension Tensor {
  fileprivate func samples(_ count: Int) -> Tensor {
    Tensor(Array(doubles.prefix(count)), type: TensorType(element, [count]))
  }
}
