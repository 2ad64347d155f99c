import Curvature
import TensorPrograms

/// Statistics of the features that a model's first layers read, from the data, and the change of variables
/// that standardises them: `x' = (x - mean) / deviation`.
struct InputScaling {
  /// A data array that nothing but layers reads, and where its features are in the lists below.
  private struct Input {
    let array: Int
    let place: FeaturePlace
    let features: Range<Int>
  }

  private let inputs: [Input]
  private(set) var means: [Double] = []
  /// Population standard deviations; 1 for a feature that does not vary, which is only centred.
  private(set) var deviations: [Double] = []
  /// Root mean squares, about zero.
  private(set) var sizes: [Double] = []
  private(set) var constantFeatures: Set<Int> = []
  /// Features that few samples have, as pixels at the rim: small on average, but no smaller a number.
  private var rareFeatures: Set<Int> = []

  /// Nil for a table, and where no continuous input goes straight to a layer.
  ///
  /// - Parameter element: the precision that the model is traced in.
  init?(_ problem: DiagnosisProblem, _ element: ElementType) {
    guard problem.table == nil, let definition = problem.definition else { return nil }
    let data = problem.data
    // The last array is the target, where the loss compares it with outputs.
    let candidates = definition.composite == nil ? data.indices : data.indices.dropLast()
    var inputs: [Input] = []
    for array in candidates where data[array].element.isFloating {
      // A model that cannot be traced on a part of a batch keeps its inputs to itself.
      guard
        let place = try? definition.firstLayerFeatures(of: array, data, element: element)
      else { continue }
      let statistics = Statistics(data[array], FeatureIndex(data[array].shape, place))
      guard let statistics else { return nil }
      let first = means.count
      means += statistics.means
      sizes += statistics.sizes
      constantFeatures.formUnion(statistics.constant.map { first + $0 })
      rareFeatures.formUnion(statistics.rare.map { first + $0 })
      deviations += statistics.deviations
      inputs.append(Input(array: array, place: place, features: first..<means.count))
    }
    guard !inputs.isEmpty else { return nil }
    for feature in constantFeatures { deviations[feature] = 1 }
    self.inputs = inputs
  }

  /// A feature in words, by its position, counted from 0.
  func name(_ feature: Int) -> String {
    let input = inputs.first { $0.features.contains(feature) }
    guard inputs.count > 1, let input else { return "feature \(feature)" }
    return "feature \(feature - input.features.lowerBound) of input \(input.array)"
  }

  private var varying: [Int] { sizes.indices.filter { !constantFeatures.contains($0) } }

  var isStandard: Bool {
    varying.allSatisfy { abs(means[$0]) < 1e-3 && abs(deviations[$0] - 1) < 1e-3 }
  }

  /// What is out of the ordinary.
  struct Remark: Equatable {
    /// The features of the largest and smallest root mean square, of those that vary; rare ones are not the
    /// smallest.
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
    let common = features.filter { !rareFeatures.contains($0) }
    guard let largest = features.max(by: { sizes[$0] < sizes[$1] }),
      let smallest = (common.isEmpty ? features : common).min(by: { sizes[$0] < sizes[$1] }),
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

  /// The data arrays with these inputs standardised.
  func applied(to data: [Tensor]) -> [Tensor] {
    var result = data
    for input in inputs {
      let tensor = data[input.array]
      let indexing = FeatureIndex(tensor.shape, input.place)
      var values = tensor.doubles
      for index in values.indices {
        let feature = input.features.lowerBound + indexing.feature(index)
        values[index] = (values[index] - means[feature]) / deviations[feature]
      }
      result[input.array] = Tensor(values, type: tensor.type)
    }
    return result
  }
}

private struct Statistics {
  let means: [Double]
  let deviations: [Double]
  let sizes: [Double]
  /// Features whose spread is rounding of their size.
  let constant: [Int]
  /// Features whose root mean square is below a fifth of their largest value: of equal values, those of
  /// fewer than 4 % of the samples.
  let rare: [Int]

  /// Nil for an array without entries, and where squares overflow.
  init?(_ tensor: Tensor, _ indexing: FeatureIndex) {
    let count = indexing.count
    let values = tensor.doubles
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
    self.means = means
    self.deviations = deviations
    sizes = squares.map { ($0 / each).squareRoot() }
    constant = (0..<count).filter { deviations[$0] <= 1e-7 * peaks[$0] }
    let sizes = self.sizes
    rare = (0..<count).filter { sizes[$0] < 0.2 * peaks[$0] }
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
