import Diagnosis
import Foundation
import Presentation
import Reports
import TensorPrograms

/// One diagnosis from request to output, with everything around it handed in.
package struct DiagnoseSession {
  package let request: DiagnosisRequest
  package let json: JSONDestination?
  package let style: TerminalStyle
  package let run: DiagnosisRun
  package let context: RunContext
  /// Called when the run is over, before anything is printed.
  package let finished: () -> Void
  package let print: (String) -> Void

  package init(
    request: DiagnosisRequest, json: JSONDestination?, style: TerminalStyle,
    run: @escaping DiagnosisRun, context: RunContext, finished: @escaping () -> Void,
    print: @escaping (String) -> Void
  ) {
    self.request = request
    self.json = json
    self.style = style
    self.run = run
    self.context = context
    self.finished = finished
    self.print = print
  }

  /// Checks the paths, runs, and prints; with JSON on standard output, that alone.
  package func perform() throws -> ProgramExit {
    try request.checkFile()
    try json?.probe()
    let report: DiagnosisReport
    do {
      report = try run(request, context)
    } catch {
      finished()
      if context.isCancelled() {
        throw DiagnosisFailure(.interrupted, "Interrupted before anything was measured.")
      }
      throw error
    }
    finished()
    // Files first: standard output may be a pipe that nobody reads, and printing end the program.
    let failure = Result { try json?.writeFile(report.json() + "\n") }
    print(json == .standardOutput ? try report.json() + "\n" : report.terminalText(style))
    try failure.get()
    return context.isCancelled() ? .interrupted : .done
  }

}

extension DiagnosisRequest {
  /// Fails where there is no file to read.
  func checkFile() throws {
    for path in [file] + [modelFile?.data].compactMap({ $0 }) { try Self.checkFile(path) }
  }

  private static func checkFile(_ file: String) throws {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory) else {
      throw DiagnosisFailure(.noInput, "There is no file '\(file)'; check the path.")
    }
    if isDirectory.boolValue {
      throw DiagnosisFailure(
        .noInput, "'\(file)' is a folder; give the path of a file in it.")
    }
    guard FileManager.default.isReadableFile(atPath: file) else {
      throw DiagnosisFailure(
        .noInput, "The file '\(file)' may not be read; check its permissions.")
    }
  }
}
