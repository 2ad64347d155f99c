import Foundation
import ProgramRuns
import Testing

/// The README's flags for PyTorch's exporters, on a network of each kind of layer.
@Suite struct ExportFlagsTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Where `make bench` installs the peers, or the Python that the environment names.
  private static let python: URL? = {
    let named = ProcessInfo.processInfo.environment["EIGENSTEP_PYTHON"]
      .map(URL.init(fileURLWithPath:))
    let python = named ?? root.appendingPathComponent(".eigenstep/bench-venv/bin/python")
    guard FileManager.default.isExecutableFile(atPath: python.path) else { return nil }
    let outcome = try? run(python, ["-c", "import torch, onnx, onnxscript"])
    return outcome?.status == 0 ? python : nil
  }()

  private static func run(
    _ program: URL, _ arguments: [String]
  ) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: printed, as: UTF8.self))
  }

  @Test(.enabled(if: python != nil, "needs PyTorch, by make bench or EIGENSTEP_PYTHON"))
  func `exports with the README's flags are the networks that train`() throws {
    let script = Self.root.appendingPathComponent("Scripts/export-flags.py").path
    let outcome = try Self.run(#require(Self.python), [script, BuiltProgram.url.path])
    let lines = outcome.output.split(separator: "\n").map(String.init)
    let wrong = lines.filter {
      !$0.hasSuffix("as in PyTorch") && !$0.contains("and said so") && !$0.hasSuffix(" failed")
        && !$0.hasPrefix("[torch.onnx]")
    }
    #expect(wrong.isEmpty && outcome.status == 0)
  }
}
