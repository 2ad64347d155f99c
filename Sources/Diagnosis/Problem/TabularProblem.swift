import Curvature
import LinearMaps
import Presentation
import TensorPrograms

/// A table, a model and a loss: what is to be diagnosed.
public struct TabularProblem: Sendable {
  public enum Target: Sendable, Equatable {
    case numeric([Double])
    /// A class index per sample, counted from 0, and the number of classes.
    case classes([Int32], count: Int)
  }

  public var name: String
  public var targetName: String
  /// Row-major, `sampleCount` x `featureNames.count`.
  public var features: [Double]
  public var featureNames: [String]
  public var target: Target
  public var model: ModelChoice
  public var loss: ModelLoss
  /// Whether the model has biases; without, no layer has one.
  public var hasIntercept = true
  /// Whether the samples' losses are averaged or added up; a penalty is added once either way.
  public var reduction = LossReduction.mean
  /// The penalty `c` of `c/2 ||w||^2`, biases excluded.
  public var l2: Double
  public var seed: Int
  /// What was noticed on the way, in sentences.
  public var notes: [String]
  /// What was decided for the user and stands in the report's first lines.
  public var readings: [Reading] = []
  /// Where the target's reading as classes or numbers was the program's own choice: how many classes it
  /// has as such. The other model could have been meant, see `bothReadings`.
  public var undecidedClasses: Int?
  /// What the classes are called, in the order of their indices; empty for numbers, and where it was not said.
  public var classLabels: [String] = []
  /// Factors `1 / s_j^2` by which the penalty weighs the first layer's row `j`, after a change of
  /// variables; nil for equal weights.
  var penaltyScales: [Double]?
  /// What `standardised` did to the columns; nil where they are as given.
  var scaling: FeatureScaling?
  /// Where `features` and `target` are fewer rows that stand for all.
  var compression: CompressedRows?
  /// Rows whose losses are meant, where only some of them are diagnosed; nil for these.
  var rowsMeant: Int?

  public init(
    name: String, targetName: String, features: [Double], featureNames: [String], target: Target,
    model: ModelChoice, loss: ModelLoss, l2: Double = 0, seed: Int = 0, notes: [String] = []
  ) {
    precondition(
      features.count == featureNames.count * target.count,
      "\(features.count) feature values for \(target.count) samples of \(featureNames.count)")
    self.name = name
    self.targetName = targetName
    self.features = features
    self.featureNames = featureNames
    self.target = target
    self.model = model
    self.loss = loss
    self.l2 = l2
    self.seed = seed
    self.notes = notes
  }

  public var sampleCount: Int { target.count }

  /// The target as numbers; empty for classes.
  var numericTarget: [Double] {
    if case .numeric(let values) = target { values } else { [] }
  }
  public var featureCount: Int { featureNames.count }

  /// Whether the loss is a quadratic in the parameters.
  public var isQuadratic: Bool { model == .linear && loss.name != ModelLoss.crossEntropy.name }

  /// What the mean of the samples' losses is multiplied by: 1, or where they are added up their number, of
  /// those too that some stand for.
  var lossWeight: Double {
    reduction == .sum ? Double(rowsMeant ?? compression?.sampleCount ?? sampleCount) : 1
  }

  /// Whether the model's outputs are linear in its parameters, so that the Gauss-Newton matrix is the
  /// Hessian.
  var isLinearInParameters: Bool {
    if case .mlp = model { false } else { true }
  }

  /// Whether two classes are told apart by one logit; by an output for each otherwise.
  private var isOfOneLogit: Bool { model == .logistic || loss.name == ModelLoss.binary.name }

  /// Numbers that the model gives per sample.
  var outputCount: Int {
    switch target {
    case .numeric: 1
    case .classes(_, let count): isOfOneLogit ? 1 : count
    }
  }

  /// The tensors of one layer.
  private var tensorsPerLayer: Int { hasIntercept ? 2 : 1 }

  /// Widths from the features to the outputs.
  private var widths: [Int] {
    switch model {
    case .linear, .logistic, .softmax: [featureCount, outputCount]
    case .mlp(let hidden, _): [featureCount] + hidden + [outputCount]
    }
  }
}

extension TabularProblem.Target {
  public var count: Int {
    switch self {
    case .numeric(let values): values.count
    case .classes(let indices, _): indices.count
    }
  }
}

extension TabularProblem {
  /// The model and its loss as traced functions: weights and bias per layer; data are the features and
  /// the target.
  public var definition: LossDefinition {
    let widths = widths
    let parameters = zip(widths, widths.dropFirst()).enumerated().flatMap { index, sizes in
      let suffix = widths.count > 2 ? "\(index + 1)" : ""
      return [
        LossDefinition.Parameter("weights\(suffix)", [sizes.0, sizes.1]),
        LossDefinition.Parameter("bias\(suffix)", [sizes.1], isBias: true),
      ].prefix(tensorsPerLayer)
    }
    var activation: ModelChoice.Activation?
    if case .mlp(_, let chosen) = model { activation = chosen }
    let perLayer = tensorsPerLayer
    let model: LossDefinition.Function = { [activation] parameters, data in
      var value = data[0]
      for layer in stride(from: 0, to: parameters.count, by: perLayer) {
        value = value.matmul(parameters[layer])
        if perLayer == 2 {
          // Compressed rows have a column of their own in place of the bias's ones.
          value = value + (data.count > 2 ? data[2] * parameters[layer + 1] : parameters[layer + 1])
        }
        guard layer + perLayer < parameters.count, let activation else { continue }
        value =
          switch activation {
          case .tanh: value.tanh()
          case .relu: value.relu()
          case .gelu: value.gelu()
          }
      }
      return value
    }
    let weight = lossWeight
    return LossDefinition(
      parameters: parameters, model: model,
      loss: { [loss] in
        let mean = loss.apply($0, $1[1])
        return weight == 1 ? mean : mean * weight
      },
      penalty: l2 == 0
        ? nil : LossDefinition.decay(l2, of: parameters, firstRowScales: penaltyScales),
      distribution: loss.distribution(
        TensorType(.float64, [sampleCount, outputCount]), targetType)?.times(weight), weight: weight
    )
  }

  private var targetType: TensorType {
    switch target {
    case .classes where !isOfOneLogit: TensorType(.int32, [sampleCount])
    case .classes, .numeric: TensorType(.float64, [sampleCount, outputCount])
    }
  }

  /// Features and target as tensors, one row per sample.
  public func data(_ element: ElementType) -> [Tensor] {
    let x = Tensor(features, type: TensorType(element, [sampleCount, featureCount]))
    switch target {
    case .numeric(let values):
      let type = TensorType(element, [sampleCount, 1])
      return [x, Tensor(values, type: type)]
        + (compression.map { [Tensor($0.bias.map(\.value), type: type)] } ?? [])
    case .classes(let indices, _) where isOfOneLogit:
      return [x, Tensor(indices.map { Double($0) }, type: TensorType(element, [sampleCount, 1]))]
    case .classes(let indices, _):
      return [x, Tensor(indices, shape: [sampleCount])]
    }
  }

  /// Where training starts: zeros for a model without hidden layers; LeCun normal weights (variance
  /// `1 / fan_in`) and zero biases for a network.
  public func start<Scalar: LinearMapScalar>(_: Scalar.Type = Scalar.self) -> [Scalar] {
    let parameters = definition.parameters
    guard case .mlp = model else {
      return [Scalar](repeating: 0, count: parameters.reduce(0) { $0 + $1.shape.count })
    }
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)))
    return parameters.flatMap { parameter -> [Scalar] in
      if parameter.isBias { return [Scalar](repeating: 0, count: parameter.shape.count) }
      return ParameterSet.Initialization.leCun
        .weights(parameter.shape.count, fanIn: parameter.shape[0], &generator).map { Scalar($0) }
    }
  }

  /// The parameter at a flat index, in words: the feature and the output it joins.
  func parameterName(_ index: Int) -> String {
    var offset = index
    for (layer, parameter) in definition.parameters.enumerated() {
      guard offset >= parameter.shape.count else {
        if parameter.isBias { return parameter.name }
        return layer == 0 ? featureNames[offset / parameter.shape[1]] : parameter.name
      }
      offset -= parameter.shape.count
    }
    preconditionFailure("there is no parameter \(index)")
  }
}
