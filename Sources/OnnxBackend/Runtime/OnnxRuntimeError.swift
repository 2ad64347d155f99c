import Foundation
import Presentation
import TensorPrograms

/// Why ONNX Runtime could not be found, opened or asked, as one sentence with the next step.
public enum OnnxRuntimeError: Error, Sendable, Equatable {
  /// No library in any of the places searched, listed in order.
  case notFound(tried: [String])
  /// A file was found, but the system could not load it as ONNX Runtime.
  case notLoadable(path: String, reason: String)
  /// The library loads, but does not offer the function table of the version needed.
  case tooOld(path: String, version: String, neededApi: Int)
  /// A call of ONNX Runtime returned an error: its code, its words and what was being done.
  case failed(doing: String, code: Int, message: String)
  /// The run was told to stop by `RunOptions.terminate()`.
  case terminated
  /// `OnnxRuntime.configure` came after the first use with other settings.
  case configuredTooLate
}

extension OnnxRuntimeError: MessageError, LocalizedError {
  /// Paths and the library's own words come from outside.
  public var message: Message { sentence.printable }

  private var sentence: Message {
    switch self {
    case .notFound(let tried):
      "ONNX Runtime was not found (tried: \(tried.joined(separator: "; "))); install it with "
        + "`make bootstrap` in Eigenstep's own folder or with `pip install onnxruntime`, set "
        + "ORT_DYLIB_PATH to its library, or use \(option: .executor, "reference", isCode: true)"
    case .notLoadable(let path, let reason):
      "the ONNX Runtime library at \(path) could not be loaded (\(reason)); "
        + "set ORT_DYLIB_PATH to a working one or reinstall with `pip install onnxruntime`"
    case .tooOld(let path, let version, let neededApi):
      "the ONNX Runtime library at \(path) is version \(version), older than interface version "
        + "\(neededApi); update it with `pip install --upgrade onnxruntime`"
    case .failed(let doing, let code, let message):
      "ONNX Runtime failed while \(doing) (code \(code)): \(message)"
    case .terminated:
      "the ONNX Runtime call was cancelled"
    case .configuredTooLate:
      "ONNX Runtime's threads are already running with other settings; "
        + "call OnnxRuntime.configure before the first use"
    }
  }

  public var errorDescription: String? { description }
}
