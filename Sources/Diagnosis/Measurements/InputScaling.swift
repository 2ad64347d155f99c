import Curvature
import TensorPrograms

/// Statistics of the features that a model's first layer reads, from the data, and the change of variables
/// that standardises them: `x' = (x - mean) / deviation`.
struct InputScaling {
  /// The data array that is the model's one continuous input.
  let array: Int
  let place: FeaturePlace
  let means: [Double]
  /// Population standard deviations; 1 for a feature that does not vary, which is only centred.
  let deviations: [Double]
  /// Root mean squares, about zero.
  let sizes: [Double]
  let constantFeatures: Set<Int>

  /// Nil for a table, for a model with no or several continuous inputs, and where the model does something
  /// else with the input before its first layer.
  ///
  /// - Throws: what tracing the model throws.
  init?(_ problem: DiagnosisProblem) throws {
    guard problem.table == nil, let definition = problem.definition,
      definition.composite != nil
    else { return nil }
    let data = problem.data
    let continuous = data.indices.dropLast().filter { data[$0].element.isFloating }
    guard continuous.count == 1, let array = continuous.first,
      let place = try definition.firstLayerFeatures(of: array, data, element: .float64)
    else { return nil }
    self.array = array
    self.place = place
    let tensor = data[array]
    let indexing = FeatureIndex(tensor.shape, place)
    let values = tensor.doubles
    let count = indexing.count
    guard count > 0, !values.isEmpty, values.allSatisfy({ abs($0) < 1e150 }) else { return nil }
    let each = Double(values.count / count)
    var sums = [Double](repeating: 0, count: count)
    var squares = sums
    var peaks = sums
    for (index, value) in values.enumerated() {
      let feature = indexing.feature(index)
      sums[feature] += value
      squares[feature] += value * value
      peaks[feature] = max(peaks[feature], abs(value))
    }
    let means = sums.map { $0 / each }
    var spread = [Double](repeating: 0, count: count)
    for (index, value) in values.enumerated() {
      let feature = indexing.feature(index)
      let difference = value - means[feature]
      spread[feature] += difference * difference
    }
    let deviations = spread.map { ($0 / each).squareRoot() }
    let constant = (0..<count).filter { deviations[$0] <= 1e-7 * peaks[$0] }
    self.means = means
    sizes = squares.map { ($0 / each).squareRoot() }
    constantFeatures = Set(constant)
    self.deviations = (0..<count).map { constant.contains($0) ? 1 : deviations[$0] }
  }

  private var varying: [Int] { sizes.indices.filter { !constantFeatures.contains($0) } }

  var isStandard: Bool {
    varying.allSatisfy { abs(means[$0]) < 1e-3 && abs(deviations[$0] - 1) < 1e-3 }
  }

  /// What is out of the ordinary.
  struct Remark: Equatable {
    /// The features of the largest and smallest root mean square, of those that vary.
    var largest: Int
    var smallest: Int
    /// The feature whose mean is most deviations off zero.
    var farthest: Int
    var areApart: Bool
    var isFarFromOne: Bool
    var isOffCentre: Bool
  }

  /// Nil where root mean squares agree to a factor of 100, the largest is within ten of one, and no mean
  /// is ten deviations off zero.
  var remark: Remark? {
    let features = varying
    guard let largest = features.max(by: { sizes[$0] < sizes[$1] }),
      let smallest = features.min(by: { sizes[$0] < sizes[$1] }),
      let farthest = features.max(by: { offset($0) < offset($1) })
    else { return nil }
    let remark = Remark(
      largest: largest, smallest: smallest, farthest: farthest,
      areApart: sizes[largest] >= 100 * sizes[smallest],
      isFarFromOne: sizes[largest] >= 10 || sizes[largest] <= 0.1,
      isOffCentre: offset(farthest) >= 10)
    return remark.areApart || remark.isFarFromOne || remark.isOffCentre ? remark : nil
  }

  /// How many deviations a feature's mean is off zero.
  func offset(_ feature: Int) -> Double { abs(means[feature]) / deviations[feature] }

  func applied(to tensor: Tensor) -> Tensor {
    let indexing = FeatureIndex(tensor.shape, place)
    var values = tensor.doubles
    for index in values.indices {
      let feature = indexing.feature(index)
      values[index] = (values[index] - means[feature]) / deviations[feature]
    }
    return Tensor(values, type: tensor.type)
  }
}

/// Which feature an entry of the flat array belongs to.
private struct FeatureIndex {
  let count: Int
  private let stride: Int

  init(_ shape: Shape, _ place: FeaturePlace) {
    switch place {
    case .axis(let axis):
      count = shape[axis]
      stride = shape.dimensions.dropFirst(axis + 1).reduce(1, *)
    case .entries:
      count = shape.dimensions.dropFirst().reduce(1, *)
      stride = 1
    }
  }

  func feature(_ index: Int) -> Int { index / stride % count }
}
