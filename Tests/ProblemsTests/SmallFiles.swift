import Diagnosis
import Foundation
import OnnxBackend
import ProgramRuns
import TensorFiles
import TensorPrograms

/// The small tables and model files that these tests open.
enum SmallFiles {
  /// Two features, one of them of words, and a target of two words.
  static let words = """
    size,colour,spare,kind
    1.5,red,9,yes
    2.5,blue,8,no
    3,red,7,no
    4.5,blue,5,yes
    0.5,red,1,no
    2,blue,2,yes

    """

  /// `y = 2 a - b` with a remainder.
  static let numbers = """
    a,b,y
    1,2,0.25
    2,1,2.75
    3,5,1.5
    -1,0.5,-2.25
    0.5,-2,3.125
    4,1,6.75

    """

  /// `gain tanh(x scale) + bias` over three inputs: see its `make_models.py`.
  static let gate = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("CommandLineTests/Fixtures/gate.onnx").path

  static let inputs = Tensor((0..<24).map { Float(sin(Double($0) * 1.7)) }, shape: [8, 3])
  static let labels = Tensor((0..<8).map { Int64($0 * 5 % 3) }, shape: [8])

  static func table(_ text: String = numbers, in folder: TemporaryFolder) throws -> TableRequest {
    TableRequest(file: try folder.write(text, to: "t.csv"), target: text == words ? "kind" : "y")
  }

  /// `gate` with the cross-entropy of these arrays.
  static func model(
    _ arrays: [(name: String, tensor: Tensor)] = [("x", inputs), ("target", labels)],
    in folder: TemporaryFolder
  ) throws -> ModelFileRequest {
    try NpzArchive.write(arrays, to: folder.path("batch.npz"))
    var request = ModelFileRequest(file: gate)
    request.data = folder.path("batch.npz")
    request.loss = "cross-entropy"
    return request
  }
}
