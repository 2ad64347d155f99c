import Diagnosis
import Foundation
import ProgramRuns
import TensorFiles
import TensorPrograms
import Testing

@Suite struct RunCommandTests {
  static let table = "a,b,y\n1,2,0.5\n2,1,1.5\n4,3,2.5\n3,5,0.25\n5,2,3.5\n"

  static func spectrum(_ table: String, _ fields: String) -> String {
    """
    {"schema": "\(SpectrumRequest.currentSchema)", \(fields)
     "problem": {"table": {"file": "\(table)", "target": "y"}},
     "resources": {"executor": "reference"}}
    """
  }

  @Test func `what a request reads is not overwritten`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.table, to: "t.csv")
    let moments = folder.path("v.npy")
    try NumpyArray.write(Tensor([1, 2, 3], type: .float64(3)), to: moments)
    let before = try Data(contentsOf: URL(fileURLWithPath: moments))
    let request = try folder.write(
      Self.spectrum(table, #""preconditioning": {"name": "adam", "file": "\#(moments)"},"#),
      to: "r.json")
    for output in [["--diagonal", moments], ["--json", moments], ["--json", request]] {
      let outcome = try BuiltProgram.run(["run", request] + output)
      #expect(outcome.status == 64 && outcome.errors.contains("would overwrite"))
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: moments)) == before)
    let allowed = try BuiltProgram.run(["run", request, "--diagonal", folder.path("d.npy")])
    #expect(allowed.status == 0, "\(allowed.errors)")
    #expect(try NumpyArray.read(folder.path("d.npy")).shape.count == 3)
  }

  @Test func `the request file itself is not overwritten by what it saves`() throws {
    let folder = try TemporaryFolder()
    let request = folder.path("r.safetensors")
    let model = GoldenPlace.file("sklearn.onnx")
    let text = """
      {"schema": "\(DiagnosisRequest.currentSchema)",
       "problem": {"model": {"file": "\(model)", "data": "\(GoldenPlace.file("sklearn.npz"))",
         "loss": "mse", "output": "variable", "saved": "\(request)"}},
       "trials": {"areRun": false}}
      """
    try text.write(toFile: request, atomically: true, encoding: .utf8)
    let outcome = try BuiltProgram.run(["run", request])
    #expect(outcome.status == 64 && outcome.errors.contains("would overwrite"))
    #expect(try String(contentsOfFile: request, encoding: .utf8) == text)
  }

  @Test func `an output that cannot be made is refused`() throws {
    let folder = try TemporaryFolder()
    let table = try folder.write(Self.table, to: "t.csv")
    let diagnosis = try folder.write(
      Self.spectrum(table, "").replacingOccurrences(
        of: SpectrumRequest.currentSchema, with: DiagnosisRequest.currentSchema), to: "r.json")
    for (options, word) in [
      (["--diagonal", folder.path("d.npy")], "--diagonal"), (["--diagonal", "-"], "--diagonal -"),
      (["--profile", folder.path("p.json")], "isProfiled"),
    ] {
      let outcome = try BuiltProgram.run(["run", diagnosis] + options)
      #expect(outcome.status == 64 && outcome.errors.contains(word), "\(outcome.errors)")
    }
    #expect(Set(folder.contents) == ["t.csv", "r.json"])
  }
}

/// The models of Tests/ModelTests.
private enum GoldenPlace {
  static func file(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("ModelTests/Models/\(name)").path
  }
}
