import OnnxBackend
import TensorPrograms

/// Which inputs of a model are the same for all samples: single numbers, and those few numbers that decide
/// what the graph is. Their values are taken into the program; the others are its data.
enum GivenInputs {
  /// More numbers are data, whatever they decide.
  private static let most = 64

  /// - Parameter types: of the arrays, one per input.
  /// - Returns: for each input whether it is the same for all samples.
  static func choose(
    _ inputs: [OnnxModel.Input], _ types: [TensorType], deciding: Set<String>
  ) -> [Bool] {
    let data = zip(inputs, types).filter { !deciding.contains($0.name) && $1.shape.rank > 0 }
    guard let samples = data.map({ $1.shape[0] }).max() else { return inputs.map { _ in false } }
    return zip(inputs, types).map { input, type in
      guard type.shape.count <= most else { return false }
      if type.shape.rank == 0 { return true }
      if deciding.contains(input.name) {
        return type.shape.count == 1 || type.shape[0] != samples
      }
      // A row of the only size that the model takes, which is not that of the samples: scales, bounds.
      if type.shape.rank == 1, type.shape[0] != samples,
        input.dimensions == [.fixed(type.shape[0])]
      {
        return true
      }
      // A single number that the model takes as no batch.
      return type.shape.count == 1 && samples > 1 && input.dimensions?.first == .fixed(1)
    }
  }
}
