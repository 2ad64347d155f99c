import Diagnosis
import Foundation
import TensorFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where `--json` sends a result: standard output (`-`) or a file.
package enum JSONDestination: Equatable, Sendable {
  case standardOutput
  case file(String)

  package init(_ argument: String) {
    let names = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
    self = names.contains(argument) ? .standardOutput : .file(argument)
  }

  /// Fails before a long run where the file could not be written after it.
  ///
  /// - Throws: ``DiagnosisFailure`` of kind `cannotCreate`.
  package func probe() throws {
    guard case .file(let path) = self else { return }
    var isDirectory: ObjCBool = false
    if path.isEmpty { throw Self.failure(path, "the path is empty") }
    // The name that is tried below is another, and short.
    if access(path, F_OK) != 0, errno == ENAMETOOLONG { throw Self.failure(path, reason()) }
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
      if isDirectory.boolValue { throw Self.failure(path, "it is a folder") }
      if access(path, W_OK) != 0 { throw Self.failure(path, reason()) }
    }
    if Self.isSpecial(path) { return }
    guard OutputFile.canWrite(to: path) else { throw Self.failure(path, reason()) }
  }

  /// Writes where that is a file; what goes to standard output is printed last.
  package func writeFile(_ text: @autoclosure () throws -> String) throws {
    if case .file = self { try write(text()) }
  }

  /// Writes all of `text` or nothing: a reader never sees half a file.
  package func write(_ text: String) throws {
    guard case .file(let path) = self else {
      StandardOutput.write(text)
      return
    }
    if Self.isSpecial(path) {
      try Self.append(text, to: path)
      return
    }
    do { try OutputFile.write(Data(text.utf8), to: path) } catch {
      throw Self.failure(path, reason())
    }
  }

  private static func append(_ text: String, to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_APPEND)
    guard descriptor >= 0 else { throw failure(path, reason()) }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        #if canImport(Darwin)
          Darwin.write(descriptor, $0.baseAddress, $0.count)
        #elseif canImport(Musl)
          Musl.write(descriptor, $0.baseAddress, $0.count)
        #else
          Glibc.write(descriptor, $0.baseAddress, $0.count)
        #endif
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure(path, reason()) }
      written += count
    }
  }

  /// Devices, pipes and open descriptors are written in place: a rename would replace them.
  private static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    return status.st_mode & S_IFMT != S_IFREG || path.hasPrefix("/dev/fd/")
      || path == "/dev/stderr" || path.hasPrefix("/proc/")
  }

  private static func failure(_ path: String, _ reason: String) -> DiagnosisFailure {
    DiagnosisFailure(
      .cannotCreate,
      "The file '\(path)' cannot be written (\(reason)); give a path in a folder that you may "
        + "write to.")
  }
}

private func reason() -> String { String(cString: strerror(errno)).lowercased() }
