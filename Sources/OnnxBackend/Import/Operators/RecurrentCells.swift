import TensorPrograms

/// `h' = f(p + R h)`
struct SimpleCell: RecurrentCell {
  static let stateCount = 1
  static let activations = ["Tanh"]
  let constants: [Traced]
  let bias: Traced?
  private let direction: Recurrence.Direction

  init(_ direction: Recurrence.Direction) {
    self.direction = direction
    constants = [direction.weights]
    bias = direction.biases?.sum([0])
  }

  func step(_ projection: Traced, _ state: [Traced], _ constants: [Traced]) -> [Traced] {
    [direction.activated(0, projection + state[0].product(constants[0]))]
  }
}

/// A gated recurrent unit, gates in the order update `z`, reset `r`, hidden:
/// `h' = (1 - z) g(p_h + R_h (r h)) + z h`.
///
/// Reference: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014.
struct GatedCell: RecurrentCell {
  static let stateCount = 1
  static let activations = ["Sigmoid", "Tanh"]
  let constants: [Traced]
  let bias: Traced?
  private let direction: Recurrence.Direction
  /// Whether the reset gate acts on `R_h h` instead of on `h`.
  private let isLinearFirst: Bool

  init(_ direction: Recurrence.Direction) {
    self.direction = direction
    isLinearFirst = direction.node.flag("linear_before_reset")
    let hidden = direction.hidden
    guard isLinearFirst else {
      constants = direction.weights.split(sizes: [2 * hidden, hidden], axis: 0)
      bias = direction.biases?.sum([0])
      return
    }
    guard let biases = direction.biases else {
      constants = [direction.weights]
      bias = nil
      return
    }
    // The hidden state's own bias is inside of the reset gate's product.
    let parts = biases.split(sizes: [2 * hidden, hidden], axis: 1)
    let hiddenBiases = parts[1].split(sizes: [1, 1], axis: 0).map { $0.reshaped([hidden]) }
    bias = Traced.concatenate([parts[0].sum([0]), hiddenBiases[0]], axis: 0)
    constants = [direction.weights, hiddenBiases[1]]
  }

  func step(_ projection: Traced, _ state: [Traced], _ constants: [Traced]) -> [Traced] {
    let (h, size) = (state[0], direction.hidden)
    let inputs = projection.split(sizes: [2 * size, size], axis: 1)
    let gates: [Traced]
    let candidate: Traced
    if isLinearFirst {
      let products = h.product(constants[0]).split(sizes: [2 * size, size], axis: 1)
      gates = direction.activated(0, inputs[0] + products[0]).split(sizes: [size, size], axis: 1)
      let own = constants.count > 1 ? products[1] + constants[1] : products[1]
      candidate = inputs[1] + gates[1] * own
    } else {
      gates = direction.activated(0, inputs[0] + h.product(constants[0]))
        .split(sizes: [size, size], axis: 1)
      candidate = inputs[1] + (gates[1] * h).product(constants[1])
    }
    let next = direction.activated(1, candidate)
    return [next + gates[0] * (h - next)]
  }
}

/// A long short-term memory, gates in the order input, output, forget, cell; state hidden, cell.
///
/// Reference: Gers, Schraudolph and Schmidhuber, Learning Precise Timing with LSTM, 2002.
struct MemoryCell: RecurrentCell {
  static let stateCount = 2
  static let activations = ["Sigmoid", "Tanh", "Tanh"]
  let constants: [Traced]
  let bias: Traced?
  private let direction: Recurrence.Direction
  private let couplesForget: Bool

  init(_ direction: Recurrence.Direction) throws {
    self.direction = direction
    let (node, hidden) = (direction.node, direction.hidden)
    couplesForget = node.flag("input_forget")
    bias = direction.biases?.sum([0])
    guard let peepholes = node.optionalInput(7) else {
      constants = [direction.weights]
      return
    }
    guard peepholes.rank == 2, peepholes.shape[0] > direction.index,
      peepholes.shape[1] == 3 * hidden
    else {
      throw node.fail("the peepholes \(peepholes.shape) do not fit \(hidden) hidden units")
    }
    let own = peepholes.slice(axis: 0, direction.index..<(direction.index + 1))
      .reshaped([3 * hidden])
    constants = [direction.weights] + own.split(sizes: [hidden, hidden, hidden], axis: 0)
  }

  func step(_ projection: Traced, _ state: [Traced], _ constants: [Traced]) -> [Traced] {
    let (size, cell) = (direction.hidden, state[1])
    let sums = (projection + state[0].product(constants[0]))
      .split(sizes: [size, size, size, size], axis: 1)
    /// The sum of a gate with what it sees of the cell.
    func peeking(_ gate: Int, _ cell: Traced) -> Traced {
      constants.count > 1 ? sums[gate] + constants[1 + gate] * cell : sums[gate]
    }
    let input = direction.activated(0, peeking(0, cell))
    let forget = couplesForget ? 1 - input : direction.activated(0, peeking(2, cell))
    let next = forget * cell + input * direction.activated(1, sums[3])
    let output = direction.activated(0, peeking(1, next))
    // Clipping is of the gates alone, as ONNX Runtime reads the definition.
    return [output * direction.activations[2](next), next]
  }
}

extension Recurrence.Direction {
  /// Activation `index` of `x`, clipped before.
  fileprivate func activated(_ index: Int, _ x: Traced) -> Traced {
    guard let clip else { return activations[index](x) }
    return activations[index](x.maximum(x.scalar(-clip)).minimum(x.scalar(clip)))
  }
}

extension Traced {
  /// `x R^T`
  fileprivate func product(_ weights: Traced) -> Traced {
    dot(weights, DotDimensions(contracting: [1], [1]))
  }
}
