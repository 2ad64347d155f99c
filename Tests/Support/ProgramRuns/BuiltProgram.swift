import Foundation

/// The `eigenstep` that was built beside these tests.
package enum BuiltProgram {
  package struct Outcome {
    package let status: Int32
    package let output: String
    package let errors: String

    package init(status: Int32, output: String, errors: String) {
      self.status = status
      self.output = output
      self.errors = errors
    }
  }

  package static let url: URL = {
    let places =
      CommandLine.arguments.filter { $0.contains(".xctest") }.map { URL(fileURLWithPath: $0) }
      + Bundle.allBundles.map(\.bundleURL)
      + [URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()]
    for place in places {
      var folder = place
      for _ in 0..<6 {
        folder.deleteLastPathComponent()
        let candidate = folder.appendingPathComponent("eigenstep")
        if FileManager.default.isExecutableFile(atPath: candidate.path),
          (try? candidate.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true
        {
          return candidate
        }
      }
    }
    preconditionFailure("eigenstep was not built beside the tests")
  }()

  /// - Parameter program: a copy of it elsewhere, which is run in its folder.
  package static func run(
    _ arguments: [String], environment: [String: String] = [:], program: URL? = nil
  ) throws -> Outcome {
    let process = Process()
    process.executableURL = program ?? url
    if let program { process.currentDirectoryURL = program.deletingLastPathComponent() }
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
      errors: String(decoding: complained, as: UTF8.self))
  }
}

/// A folder that is gone when the test is.
package final class TemporaryFolder {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("eigenstep-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  package func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  package func write(_ text: String, to name: String) throws -> String {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    return path(name)
  }

  package var contents: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
  }
}
