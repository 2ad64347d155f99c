import TensorPrograms

/// A loss that a model's outputs and targets make: the mean that PyTorch's loss of the name takes by
/// default.
///
/// `apply` gets the outputs and the target as traced values and returns a scalar; shapes that do not fit
/// are reported by `Program.trace`, both named.
public struct ModelLoss: Sendable {
  /// The name that the command line has for it.
  public let name: String
  public let summary: String
  public let apply: @Sendable (_ outputs: Traced, _ target: Traced) -> Traced
  /// The likelihood that the loss is, for outputs and a target of these types; nil where it is none.
  public let distribution:
    @Sendable (_ outputs: TensorType, _ target: TensorType) -> OutputDistribution?
  /// The axis of the outputs whose size the integers of the target stay below; nil for a target that is
  /// no class.
  public let classAxis: @Sendable (_ outputs: TensorType, _ target: TensorType) -> Int?
  /// One loss per label, flat, for outputs with this axis of classes; nil for a loss of no labels.
  private let labelLosses: LabelLosses?

  private typealias LabelLosses =
    @Sendable (_ outputs: Traced, _ labels: Traced, _ axis: Int) -> Traced

  private init(
    _ name: String, _ summary: String,
    distribution: @escaping @Sendable (TensorType, TensorType) -> OutputDistribution? = {
      _, _ in nil
    },
    labels: LabelLosses? = nil, apply: @escaping @Sendable (Traced, Traced) -> Traced
  ) {
    self.name = name
    self.summary = summary
    self.distribution = distribution
    labelLosses = labels
    guard let labels else {
      self.apply = apply
      classAxis = { _, _ in nil }
      return
    }
    classAxis = { axisOfClasses($0, $1) }
    self.apply = { outputs, target in
      axisOfClasses(outputs.type, target.type).map { labels(outputs, target, $0).mean() }
        ?? apply(outputs, target)
    }
  }

  /// The label that PyTorch's losses leave out by default.
  public static let ignoredLabel = -100

  /// The loss without the labels that are ignored: the mean over the others.
  ///
  /// It stays a mean over samples, which may be cut into batches, by a factor that all of `target` gives.
  /// No likelihood goes with it.
  /// - Precondition: some label of `target` is none to be ignored.
  public func ignoringLabels(of target: Tensor) -> ModelLoss {
    guard let labelLosses, target.element == .int32 || target.element == .int64 else { return self }
    let ignored = target.doubles.count { $0 == Double(Self.ignoredLabel) }
    guard ignored > 0 else { return self }
    precondition(ignored < target.shape.count, "all labels are ignored")
    let factor = Double(target.shape.count) / Double(target.shape.count - ignored)
    return ModelLoss(
      name, summary,
      labels: { outputs, target, axis in
        let isGiven = target.compare(.notEqual, target.scalar(Double(Self.ignoredLabel)))
        let losses = labelLosses(outputs, isGiven.select(target, target.zeros()), axis)
        return isGiven.reshaped(losses.shape).select(losses * factor, losses.zeros())
      }, apply: apply)
  }

  public static let all: [ModelLoss] = [
    ModelLoss(
      "cross-entropy", "Logits against class indices or class probabilities, in nats.",
      distribution: { outputs, target in
        guard axisOfClasses(outputs, target) == outputs.shape.rank - 1 else { return nil }
        return OutputDistribution(.categorical, scale: 1 / positions(outputs, 2))
      },
      labels: { outputs, labels, axis in
        outputs.logSumExp(axis: axis).reshaped([count(outputs.shape, less: axis)])
          - picked(outputs, labels, axis)
      }
    ) { outputs, target in
      guard target.shape == outputs.shape, outputs.rank >= 2 else {
        return mismatch("cross-entropy", outputs, target)
      }
      let logProbabilities = outputs.logSoftmax(axis: 1)
      return (target.converted(to: outputs.element) * logProbabilities).sum()
        * (-1 / Double(count(outputs.shape, less: 1)))
    },
    ModelLoss(
      "nll", "Log-probabilities against class indices.",
      labels: { outputs, labels, axis in -picked(outputs, labels, axis) }
    ) { outputs, target in mismatch("nll", outputs, target) },
    ModelLoss(
      "binary", "Logits against 0 or 1 (or a probability) for each.",
      distribution: { outputs, _ in
        OutputDistribution(.bernoulli, scale: 1 / positions(outputs, 1))
      }
    ) { outputs, target in
      paired("binary", outputs, target) { ($0.softplus() - $0 * $1).mean() }
    },
    ModelLoss(
      "mse", "The mean squared difference.",
      distribution: { outputs, _ in
        OutputDistribution(.gaussian, scale: 2 / positions(outputs, 1))
      }
    ) { outputs, target in paired("mse", outputs, target) { ($0 - $1).square().mean() } },
    ModelLoss(
      "half-squared-error", "Half the squared difference, added up over a sample's outputs.",
      distribution: { _, _ in OutputDistribution(.gaussian) }
    ) { outputs, target in
      paired("half-squared-error", outputs, target) {
        ($0 - $1).square().sum() * (0.5 / Double(max(1, $0.shape.dimensions.first ?? 1)))
      }
    },
    ModelLoss("mae", "The mean absolute difference.") { outputs, target in
      paired("mae", outputs, target) { ($0 - $1).abs().mean() }
    },
    ModelLoss("huber", "Squared differences up to 1, absolute ones beyond.") { outputs, target in
      paired("huber", outputs, target) { a, b in
        let size = (a - b).abs()
        let inside = size.compare(.less, size.scalar(1))
        return inside.select((a - b).square() * 0.5, size - 0.5).mean()
      }
    },
    ModelLoss("kl", "Log-probabilities against probabilities: the mean of t (log t - y).") {
      outputs, target in
      paired("kl", outputs, target) { y, t in
        let positive = t.compare(.greater, t.scalar(0))
        let logarithm = positive.select(t, t.zeros() + 1).log()
        return (t * (logarithm - y)).mean()
      }
    },
  ]

  /// Those that a table's model takes: numbers by squared errors, classes by cross-entropy, which is called
  /// binary where the model has one logit.
  public static let tabular = [halfSquaredError, meanSquaredError, crossEntropy, binary]

  /// The loss of a name, or nil.
  public static func named(_ name: String) -> ModelLoss? { all.first { $0.name == name } }

  public static var crossEntropy: ModelLoss { named("cross-entropy")! }
  public static var negativeLogLikelihood: ModelLoss { named("nll")! }
  public static var binary: ModelLoss { named("binary")! }
  public static var meanSquaredError: ModelLoss { named("mse")! }
  public static var halfSquaredError: ModelLoss { named("half-squared-error")! }
  public static var meanAbsoluteError: ModelLoss { named("mae")! }
  public static var huber: ModelLoss { named("huber")! }
  public static var kullbackLeibler: ModelLoss { named("kl")! }
}

/// The class axis of outputs for a target of integers: 1, as PyTorch has it, or the last where only that
/// fits the target's shape.
private func axisOfClasses(_ outputs: TensorType, _ target: TensorType) -> Int? {
  guard target.element == .int32 || target.element == .int64, outputs.shape.rank >= 2 else {
    return nil
  }
  let wide = target.shape.dimensions.filter { $0 != 1 }
  return [1, outputs.shape.rank - 1].first { axis in
    outputs.shape.removing([axis]) == target.shape
  }
    ?? [1, outputs.shape.rank - 1].first { axis in
      outputs.shape.removing([axis]).dimensions.filter { $0 != 1 } == wide
    }
}

private func count(_ shape: Shape, less axis: Int) -> Int { shape.removing([axis]).count }

/// How many outputs, each of a class axis' length beside `classes` axes, a sample has.
private func positions(_ outputs: TensorType, _ axes: Int) -> Double {
  let sizes = outputs.shape.dimensions.dropFirst()
  return Double(max(1, (axes == 2 ? sizes.dropLast() : sizes).reduce(1, *)))
}

/// The entries of the outputs that class indices choose, in one axis.
private func picked(_ outputs: Traced, _ target: Traced, _ axis: Int) -> Traced {
  let others = (0..<outputs.rank).filter { $0 != axis }
  let rows = count(outputs.shape, less: axis)
  let table = outputs.transposed(others + [axis]).reshaped([rows, outputs.shape[axis]])
  return table.gather(target.reshaped([rows, 1]), axis: 1, batch: 1).reshaped([rows])
}

/// A loss of outputs and targets element by element; axes of size 1 may differ.
private func paired(
  _ name: String, _ outputs: Traced, _ target: Traced, _ loss: (Traced, Traced) -> Traced
) -> Traced {
  func wide(_ value: Traced) -> [Int] { value.shape.dimensions.filter { $0 != 1 } }
  guard wide(outputs) == wide(target) else { return mismatch(name, outputs, target) }
  return loss(outputs, target.reshaped(outputs.shape).converted(to: outputs.element))
}

private func mismatch(_ name: String, _ outputs: Traced, _ target: Traced) -> Traced {
  outputs.builder.record(
    .mismatch(
      "the loss \(name) cannot take outputs of \(outputs.type) with a target of \(target.type)"))
  return outputs.sum()
}
