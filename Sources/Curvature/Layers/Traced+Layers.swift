import Foundation
import TensorPrograms

/// Layers as plain functions: of a value, and of the layer's parameters as `ParameterSet` makes them.
extension Traced {
  /// `x W' + b` over the last axis.
  public func dense(_ layer: LayerParameters) -> Traced {
    let product = dot(layer.weight, DotDimensions(contracting: [rank - 1], [1], batch: [], []))
    return layer.bias.map { product + $0 } ?? product
  }

  /// A convolution of `[N, C, spatial...]`, the same stride, zero padding and dilation along each spatial
  /// axis; padding `(window - 1) / 2` keeps sizes.
  public func convolution(
    _ layer: LayerParameters, stride: Int = 1, padding: Int = 0, dilation: Int = 1, groups: Int = 1
  ) -> Traced {
    let spatial = [Int](repeating: 1, count: Swift.max(0, rank - 2))
    let padded = spatial.map { _ in padding }
    let result = convolved(
      layer.weight, strides: spatial.map { _ in stride }, low: padded, high: padded,
      dilation: spatial.map { _ in dilation }, groups: groups)
    return layer.bias.map { result + $0.perChannel(rank) } ?? result
  }

  /// The maximum of each window of `size` along each spatial axis of `[N, C, spatial...]`; windows do not
  /// overlap by default.
  public func maxPooling(_ size: Int, stride: Int? = nil, padding: Int = 0) -> Traced {
    let ones = [Int](repeating: 1, count: Swift.max(0, rank - 2))
    let padded = ones.map { _ in padding }
    return windowMax(
      sizes: ones.map { _ in size }, strides: ones.map { _ in stride ?? size }, low: padded,
      high: padded)
  }

  /// The mean of each window, padding counted as zeros.
  public func averagePooling(_ size: Int, stride: Int? = nil, padding: Int = 0) -> Traced {
    let ones = [Int](repeating: 1, count: Swift.max(0, rank - 2))
    let padded = ones.map { _ in padding }
    return windowSum(
      sizes: ones.map { _ in size }, strides: ones.map { _ in stride ?? size }, low: padded,
      high: padded) * (1 / pow(Double(size), Double(ones.count)))
  }

  /// The mean over all spatial axes: `[N, C, spatial...]` to `[N, C]`.
  public func globalAveragePooling() -> Traced { mean(Array(2..<rank)) }

  /// `[N, a, b, ...]` to `[N, a b ...]`.
  public func flattened() -> Traced {
    reshaped([shape[0], shape.removing([0]).count])
  }

  /// `(x - mean) / sqrt(variance + epsilon) w + b` per channel of `[N, C, spatial...]`, with mean and
  /// variance of the batch, as while training: the samples then depend on one another.
  ///
  /// Reference: Ioffe and Szegedy, "Batch normalization", ICML 2015, algorithm 1.
  public func batchNormalization(_ layer: LayerParameters, epsilon: Double = 1e-5) -> Traced {
    standardized([0] + Array(2..<rank), epsilon) * layer.weight.perChannel(rank)
      + layer.tensor("bias").perChannel(rank)
  }

  /// The same with mean and variance over the last axis of each position.
  ///
  /// Reference: Ba, Kiros and Hinton, "Layer normalization", arXiv:1607.06450.
  public func layerNormalization(_ layer: LayerParameters, epsilon: Double = 1e-5) -> Traced {
    standardized([rank - 1], epsilon) * layer.weight + layer.tensor("bias")
  }

  /// The same over groups of channels of each sample of `[N, C, spatial...]`.
  ///
  /// Reference: Wu and He, "Group normalization", ECCV 2018.
  public func groupNormalization(
    _ layer: LayerParameters, groups: Int, epsilon: Double = 1e-5
  ) -> Traced {
    let grouped = reshaped([shape[0], groups, shape.removing([0]).count / groups])
    return grouped.standardized([2], epsilon).reshaped(shape) * layer.weight.perChannel(rank)
      + layer.tensor("bias").perChannel(rank)
  }

  /// The rows of the layer's table that these integers name: `[N, T]` to `[N, T, width]`.
  public func embedded(_ layer: LayerParameters) -> Traced { layer.weight.gather(self, axis: 0) }

  /// `softmax(Q K' / sqrt(d)) V` of each head, for `[N, T, width]`; with `isCausal` a position sees itself
  /// and those before.
  ///
  /// Reference: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
  public func attention(_ layer: LayerParameters, heads: Int, isCausal: Bool = false) -> Traced {
    let (samples, steps, width) = (shape[0], shape[1], shape[2])
    func split(_ name: String) -> Traced {
      dense(layer[name]).reshaped([samples, steps, heads, width / heads])
        .transposed([0, 2, 1, 3])
    }
    let across = DotDimensions(contracting: [3], [3], batch: [0, 1], [0, 1])
    var scores =
      split("query").dot(split("key"), across) * (1 / Double(width / heads).squareRoot())
    if isCausal {
      let mask = (0..<steps * steps).map { $0 % steps > $0 / steps ? -1e9 : 0 }
      scores = scores + builder.constant(Tensor(mask, type: TensorType(element, [steps, steps])))
    }
    let along = DotDimensions(contracting: [3], [2], batch: [0, 1], [0, 1])
    return scores.softmax(axis: 3).dot(split("value"), along).transposed([0, 2, 1, 3])
      .reshaped(shape).dense(layer["output"])
  }

  /// The hidden states of a long short-term memory over `[N, T, inputs]`, from zeros: `[N, T, hidden]`.
  ///
  /// Reference: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9 (1997); with
  /// the forget gate of Gers, Schmidhuber and Cummins (2000).
  public func lstm(_ layer: LayerParameters) -> Traced {
    let recurrent = layer["hidden"].weight
    let hidden = recurrent.shape[1]
    let zeros = builder.full(0, TensorType(element, [shape[0], hidden]))
    do {
      let (_, states) = try Traced.scan(
        constants: [recurrent], carries: [zeros, zeros],
        stacked: [dense(layer["input"]).transposed([1, 0, 2])]
      ) { constants, carries, inputs in
        let sums =
          inputs[0]
          + carries[0].dot(
            constants[0], DotDimensions(contracting: [1], [1], batch: [], []))
        let gates = sums.split(sizes: .init(repeating: hidden, count: 4), axis: 1)
        let cell = gates[1].sigmoid() * carries[1] + gates[0].sigmoid() * gates[2].tanh()
        let state = gates[3].sigmoid() * cell.tanh()
        return ([state, cell], [state])
      }
      return states[0].transposed([1, 0, 2])
    } catch {
      builder.record(.mismatch("\(error)"))
      return self
    }
  }

  private func standardized(_ axes: [Int], _ epsilon: Double) -> Traced {
    let centred = self - mean(axes, keepingAxes: true)
    return centred / (centred.square().mean(axes, keepingAxes: true) + epsilon).sqrt()
  }

  /// `[C]` as `[C, 1, ...]`, to be broadcast along the spatial axes of a value of this rank.
  private func perChannel(_ rank: Int) -> Traced {
    reshaped(Shape([shape.count] + [Int](repeating: 1, count: Swift.max(0, rank - 2))))
  }
}
