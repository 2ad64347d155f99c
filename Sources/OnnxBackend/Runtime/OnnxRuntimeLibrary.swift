import COnnxRuntime
import Foundation

/// A loaded ONNX Runtime: where it was found, its version and its table of functions.
///
/// Fails with `notFound`, `notLoadable` or `tooOld` of `OnnxRuntimeError`, each naming the paths.
/// A file that was found and does not load is an error at once, never skipped in silence.
// Unchecked: the table is immutable and stays mapped as long as the process lives.
public struct OnnxRuntimeLibrary: @unchecked Sendable {
  /// The file loaded, or the bare name that the system's loader knew.
  public let path: String
  /// What the library calls itself, such as "1.20.1".
  public let version: String
  let table: OrtTable

  /// Searches the documented places and loads the first library found.
  public static func load() throws -> OnnxRuntimeLibrary {
    try load(from: .ofThisProcess())
  }

  static func load(from search: LibrarySearch) throws -> OnnxRuntimeLibrary {
    switch search.find() {
    case .file(let path):
      return try OnnxRuntimeLibrary(path: path)
    case .none(let tried):
      for name in search.systemNames {
        if let handle = dlopen(name, RTLD_NOW | RTLD_LOCAL) {
          return try OnnxRuntimeLibrary(path: name, handle: handle)
        }
      }
      let system = "the system's library path (\(search.systemNames.joined(separator: ", ")))"
      throw OnnxRuntimeError.notFound(tried: tried + [system])
    }
  }

  private init(path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw OnnxRuntimeError.notLoadable(path: path, reason: "there is no such file")
    }
    guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
      throw OnnxRuntimeError.notLoadable(
        path: path, reason: reason.replacingOccurrences(of: path + ": ", with: ""))
    }
    try self.init(path: path, handle: handle)
  }

  private init(path: String, handle: UnsafeMutableRawPointer) throws {
    guard let symbol = dlsym(handle, "OrtGetApiBase"),
      let base = unsafeBitCast(symbol, to: OrtGetApiBaseFunction.self)()
    else {
      throw OnnxRuntimeError.notLoadable(
        path: path, reason: "it is a library, but exports no OrtGetApiBase")
    }
    let version = base.pointee.get_version_string().map { String(cString: $0) } ?? "unknown"
    guard let table = base.pointee.get_api(UInt32(ort_api_version)) else {
      throw OnnxRuntimeError.tooOld(
        path: path, version: version, neededApi: Int(ort_api_version))
    }
    self.path = path
    self.version = version
    self.table = table
  }

  /// Turns a status into a Swift error and frees it; null is success.
  func check(_ status: OpaquePointer?, _ doing: @autoclosure () -> String) throws {
    guard let status else { return }
    defer { ort_release_status(table, status) }
    let message = ort_error_message(table, status).map { String(cString: $0) } ?? ""
    throw OnnxRuntimeError.failed(
      doing: doing(), code: Int(ort_error_code(table, status)), message: message)
  }
}
