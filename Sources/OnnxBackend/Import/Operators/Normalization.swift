import TensorPrograms

extension OperatorCatalogue {
  static let normalization: [OperatorRule] = [
    OperatorRule("BatchNormalization", constants: [3, 4]) { try $0.batchNormalization() },
    OperatorRule("LayerNormalization") { node in
      let x = try node.floating(0)
      let axes = Array(try node.axis(node.int("axis", -1), rank: x.rank)..<x.rank)
      let (centred, mean) = x.centred(over: axes)
      let scale = centred.inverseDeviation(over: axes, node.float("epsilon", 1e-5))
      return [try node.scaled(centred * scale, by: 1, plus: 2), mean, scale]
    },
    OperatorRule("RMSNormalization") { try $0.rootMeanSquareNormalization() },
    OperatorRule("SimplifiedLayerNormalization") { try $0.rootMeanSquareNormalization() },
    OperatorRule("InstanceNormalization") { node in
      let x = try node.floating(0)
      guard x.rank > 2 else { throw node.fail("there is no spatial axis in \(x.shape)") }
      let y = x.normalized(over: Array(2..<x.rank), node.float("epsilon", 1e-5))
      return [try node.scaledPerChannel(y)]
    },
    OperatorRule("GroupNormalization") { node in
      let x = try node.floating(0)
      let groups = node.int("num_groups", 0)
      guard x.rank > 2, groups > 0, x.shape[1] % groups == 0 else {
        throw node.fail("the channels of \(x.shape) do not divide into \(groups) groups")
      }
      let shape = Shape([x.shape[0], groups, x.shape[1] / groups] + x.shape.dimensions[2...])
      let normalized = x.reshaped(shape)
        .normalized(over: Array(2..<shape.rank), node.float("epsilon", 1e-5))
      // Before operator set 21 scale and bias hold a number per group.
      return node.operatorSet >= 21
        ? [try node.scaledPerChannel(normalized.reshaped(x.shape))]
        : [try node.scaledPerChannel(normalized).reshaped(x.shape)]
    },
    OperatorRule("LpNormalization") { node in
      let x = try node.floating(0)
      let axis = try node.axis(node.int("axis", -1), rank: x.rank)
      let p = try node.normOrder()
      let norm = x.power(p).sum([axis], keepingAxes: true).root(p)
      // What is all zeros stays so.
      return [x / norm.compare(.equal, norm.scalar(0)).select(norm.zeros() + 1, norm)]
    },
    OperatorRule("LRN") { node in
      let x = try node.floating(0)
      let size = node.int("size", 0)
      guard x.rank > 2, (1...(1 << 20)).contains(size) else {
        throw node.fail("a region of \(size) channels does not fit the input \(x.shape)")
      }
      let others = x.shape.dimensions[2...].map { _ in 0 }
      let squares = x.square().windowSum(
        sizes: [size] + others.map { _ in 1 }, low: [(size - 1) / 2] + others,
        high: [size / 2] + others)
      let base = squares * (node.float("alpha", 1e-4) / Double(size)) + node.float("bias", 1)
      return [x * base.power(x.scalar(-node.float("beta", 0.75)))]
    },
    OperatorRule("MeanVarianceNormalization") { node in
      let x = try node.floating(0)
      let axes = try node.axes(node.ints("axes") ?? [0, 2, 3], rank: x.rank)
      let (centred, _) = x.centred(over: axes)
      return [centred / (centred.square().mean(axes, keepingAxes: true).root(2) + 1e-9)]
    },
  ]
}

extension NodeContext {
  /// `y` times the input `scale`, which broadcasts to it, plus the input `shift` where there is one.
  func scaled(_ y: Traced, by scale: Int, plus shift: Int? = nil) throws -> Traced {
    let factor = try input(scale)
    guard y.shape.broadcast(with: factor.shape) == y.shape else {
      throw fail("the scale \(factor.shape) does not broadcast to \(y.shape)")
    }
    guard let shift = shift.flatMap(optionalInput) else { return y * factor }
    guard y.shape.broadcast(with: shift.shape) == y.shape else {
      throw fail("the bias \(shift.shape) does not broadcast to \(y.shape)")
    }
    return y * factor + shift
  }

  /// `y` times the scale of its channel plus the bias, inputs 1 and 2.
  fileprivate func scaledPerChannel(_ y: Traced) throws -> Traced {
    y * (try perChannel(input(1), of: y)) + (try perChannel(input(2), of: y))
  }

  fileprivate func rootMeanSquareNormalization() throws -> [Traced] {
    let x = try floating(0)
    let axes = Array(try axis(int("axis", -1), rank: x.rank)..<x.rank)
    let scale = x.inverseDeviation(over: axes, float("epsilon", 1e-5))
    return [try scaled(x * scale, by: 1), scale]
  }

  /// Of the batch's statistics while training, else of the running ones.
  ///
  /// Reference: Ioffe and Szegedy, Batch Normalization, 2015.
  fileprivate func batchNormalization() throws -> [Traced] {
    let x = try floating(0)
    let epsilon = float("epsilon", 1e-5)
    let (scale, bias) = (try perChannel(input(1), of: x), try perChannel(input(2), of: x))
    let (mean, variance) = (try perChannel(input(3), of: x), try perChannel(input(4), of: x))
    let saysSo = operatorSet >= 14 ? flag("training_mode") : outputCount > 1
    guard isTraining || saysSo else {
      let factor = scale / (variance + epsilon).sqrt()
      return [x * factor + (bias - mean * factor)]
    }
    let axes = [0] + Array(2..<x.rank)
    let (centred, batchMean) = x.centred(over: axes)
    let batchVariance = centred.square().mean(axes, keepingAxes: true)
    let y = centred * (scale / (batchVariance + epsilon).sqrt()) + bias
    guard outputCount > 1 else { return [y] }
    let momentum = float("momentum", 0.9)
    let channels: Shape = [x.shape[1]]
    let saved = [batchMean, batchVariance].map { $0.reshaped(channels) }
    let running = zip([mean, variance], saved).map {
      $0.reshaped(channels) * momentum + $1 * (1 - momentum)
    }
    return [y] + running + saved
  }
}

extension Traced {
  fileprivate func centred(over axes: [Int]) -> (Traced, mean: Traced) {
    let mean = mean(axes, keepingAxes: true)
    return (self - mean, mean)
  }

  /// `1 / sqrt(mean(x^2) + epsilon)`
  func inverseDeviation(over axes: [Int], _ epsilon: Double) -> Traced {
    (square().mean(axes, keepingAxes: true) + epsilon).sqrt().reciprocal()
  }

  /// Less the mean, over the standard deviation.
  fileprivate func normalized(over axes: [Int], _ epsilon: Double) -> Traced {
    let (centred, _) = centred(over: axes)
    return centred * centred.inverseDeviation(over: axes, epsilon)
  }
}
