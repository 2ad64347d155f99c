import Diagnosis
import Foundation
import OnnxBackend
import Problems
import TensorFiles

/// All files that one run of the program reads and writes: looked at before anything is measured, so that
/// no output destroys an input or another output.
package struct RunFiles {
  /// Path by what it is: an option's name, or "the file" for the argument.
  package typealias Place = (role: String, path: String)

  private var inputs: [Place]
  private let outputs: [Place]

  /// - Parameter outputs: nil for an option that was not given; `-` is standard output.
  package init(inputs: [Place] = [], outputs: [(role: String, path: String?)]) {
    self.inputs = inputs
    self.outputs = outputs.compactMap { role, path in
      guard let path, JSONDestination(path) != .standardOutput else { return nil }
      return (role, path)
    }
  }

  /// The files of a run on a table or a model, with what further options read and write.
  ///
  /// - Parameters:
  ///   - request: the file that the run itself was read from.
  ///   - state: the file of a preconditioner.
  init(
    _ problem: ProblemSource, request: String? = nil, state: String? = nil,
    outputs: [(role: String, path: String?)]
  ) {
    var inputs = zip(["the file", "--data"], problem.files).map { (role: $0, path: $1) }
    if let request { inputs.append(("the request", request)) }
    if let state { inputs.append(("--precondition", state)) }
    guard case .model(let model) = problem else {
      self.init(inputs: inputs, outputs: outputs)
      return
    }
    self.init(inputs: inputs, outputs: outputs + [("--save-parameters", model.saved)])
    // A model's tensors may lie in files beside it.
    if !self.outputs.isEmpty {
      self.inputs += OnnxModel.externalFiles(of: model.file).map { ("the file's tensors", $0) }
    }
  }

  /// Likewise of a training run.
  init(
    training: TrainingRequest, request: String? = nil, outputs: [(role: String, path: String?)]
  ) {
    self.init(
      training.problem, request: request, outputs: outputs + [("--save", training.files.saved)])
    if case .file(let path)? = training.heldOut { inputs.append(("--held-out", path)) }
    if let path = training.rules.rateFile { inputs.append(("--rate-file", path)) }
  }

  /// - Throws: ``DiagnosisFailure``: `noInput` for an input that is not there, `usage` where an output is
  ///   an input or another output by whatever name, `cannotCreate` where one could not be written.
  package func check() throws {
    for input in inputs { try ProblemSource.checkFile(input.path) }
    try checkDistinct()
    for output in outputs { try JSONDestination(output.path).probe() }
  }

  private func checkDistinct() throws {
    let written = outputs.map { FileIdentity(path: $0.path) }
    // What the shell sends standard output and standard error to is a place of its own.
    let streams = [(1 as Int32, "standard output"), (2, "standard error")].compactMap { stream in
      FileIdentity(descriptor: stream.0).map { (name: stream.1, identity: $0) }
    }
    for input in inputs {
      guard let identity = FileIdentity(path: input.path) else { continue }
      for (output, other) in zip(outputs, written) where identity.isSame(as: other) {
        throw DiagnosisFailure(
          .usage,
          "\(output.role) '\(output.path)' would overwrite '\(input.path)', which the run reads as "
            + "\(input.role); give \(output.role) another path.")
      }
      for stream in streams where identity.isSame(as: stream.identity) {
        throw DiagnosisFailure(
          .usage,
          "The \(stream.name) of this run goes into '\(input.path)', which it reads as "
            + "\(input.role); send it to another file.")
      }
    }
    for (index, identity) in written.enumerated() {
      for earlier in 0..<index where identity?.isSame(as: written[earlier]) == true {
        let (first, second) = (outputs[earlier], outputs[index])
        throw DiagnosisFailure(
          .usage,
          "\(first.role) '\(first.path)' and \(second.role) '\(second.path)' are one file, which would "
            + "keep only one of them; give \(second.role) another path.")
      }
      for stream in streams where identity?.isSame(as: stream.identity) == true {
        throw DiagnosisFailure(
          .usage,
          "\(outputs[index].role) '\(outputs[index].path)' is the file that the \(stream.name) of this "
            + "run goes to; give \(outputs[index].role) another path.")
      }
    }
  }
}

/// Which file a path leads to, however it is spelt: through links, relative or absolute, by another name
/// of the same file.
private struct FileIdentity {
  /// Of the file, or of the folder that it is to be made in.
  private let device: UInt64
  private let number: UInt64
  /// The name in the folder, where there is no file yet.
  private let name: String?
  private let folder: String

  /// Nil for a device, which keeps nothing, and where there is no such folder.
  init?(path: String) {
    let target = fileBehindLink(path)
    let folder = (target as NSString).deletingLastPathComponent
    self.folder = folder.isEmpty ? "." : folder
    var status = stat()
    if stat(target, &status) == 0 {
      name = nil
    } else {
      guard stat(self.folder, &status) == 0 else { return nil }
      name = (target as NSString).lastPathComponent
    }
    guard status.st_mode & S_IFMT != S_IFCHR else { return nil }
    (device, number) = (UInt64(status.st_dev), UInt64(status.st_ino))
  }

  /// Nil unless the descriptor is that of a regular file.
  init?(descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    (device, number, name, folder) = (UInt64(status.st_dev), UInt64(status.st_ino), nil, "")
  }

  func isSame(as other: FileIdentity?) -> Bool {
    guard let other, device == other.device, number == other.number else { return false }
    guard let name, let otherName = other.name else { return self.name == other.name }
    return name == otherName
      || name.lowercased() == otherName.lowercased() && Self.ignoresCase(folder)
  }

  /// Whether a folder's file system takes `A` and `a` for one name, found by making a file.
  private static func ignoresCase(_ folder: String) -> Bool {
    let name = ".eigenstep-\(UUID().uuidString)"
    let path = (folder as NSString).appendingPathComponent(name.lowercased())
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    // Where none can be made, the outputs cannot either, which is said later.
    guard descriptor >= 0 else { return false }
    close(descriptor)
    defer { unlink(path) }
    return access((folder as NSString).appendingPathComponent(name.uppercased()), F_OK) == 0
  }
}
