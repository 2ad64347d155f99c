import Foundation
import OnnxBackend

/// Our side of the conversation in `peers/protocol.py`.
package enum Conversation {
  /// The network and the threads that the command line names, ONNX Runtime set to them.
  package static func begin() throws -> NetworkInputs {
    let arguments = CommandLine.arguments
    guard arguments.count == 3, let threads = Int(arguments[2]) else {
      let name = URL(fileURLWithPath: arguments[0]).lastPathComponent
      FileHandle.standardError.write(Data("usage: \(name) FOLDER/MODEL THREADS\n".utf8))
      exit(64)
    }
    try OnnxRuntime.configure(threads: threads)
    return try NetworkInputs(folder: arguments[1])
  }

  package static func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
  }

  package static func ready() { say(#"{"ready": "Eigenstep", "version": "0.1"}"#) }
}
