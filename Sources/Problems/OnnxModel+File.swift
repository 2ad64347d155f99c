import OnnxBackend
import TensorFiles
import TensorPrograms

extension OnnxModel {
  /// Writes `settingInitializers(values)` to a file, which appears whole or not at all; behind a link, the
  /// file that it leads to.
  ///
  /// - Throws: `OnnxModelError` for values that do not fit, and where the file cannot be written.
  public func write(to path: String, settingInitializers values: [String: Tensor] = [:]) throws {
    let bytes = try settingInitializers(values)
    do { try OutputFile.write(bytes, to: path) } catch is ArrayFileError {
      throw OnnxModelError(
        "The model cannot be written to '\(path)': check that the folder exists, is writable and has "
          + "room", kind: .cannotWrite)
    }
  }
}
