import TensorPrograms

extension OperatorCatalogue {
  static let recurrence: [OperatorRule] = [
    OperatorRule("RNN") { try Recurrence($0, gates: 1).run(SimpleCell.init) },
    OperatorRule("GRU") { try Recurrence($0, gates: 3).run(GatedCell.init) },
    OperatorRule("LSTM") { try Recurrence($0, gates: 4).run(MemoryCell.init) },
  ]
}

/// One step of a recurrent network.
protocol RecurrentCell {
  /// How many carries: the hidden state, then others.
  static var stateCount: Int { get }
  static var activations: [String] { get }
  /// Weights that every step reads.
  var constants: [Traced] { get }
  /// The bias of the inputs' projection.
  var bias: Traced? { get }

  init(_ direction: Recurrence.Direction) throws
  /// The next state, from the projection of this step's input.
  func step(_ projection: Traced, _ state: [Traced], _ constants: [Traced]) -> [Traced]
}

/// What RNN, GRU and LSTM have in common: directions, lengths of sequences, layouts.
struct Recurrence {
  /// The parameters of one direction.
  struct Direction {
    let node: NodeContext
    let index: Int
    let hidden: Int
    /// `[gates x hidden, hidden]`
    let weights: Traced
    /// `[2, gates x hidden]`: of the input, of the hidden state.
    let biases: Traced?
    let activations: [Activation]
    let clip: Double?
  }

  let node: NodeContext
  /// `[steps, batch, features]`
  let x: Traced
  let gates: Int
  let hidden: Int
  /// Whether each direction runs from the end.
  let reversed: [Bool]
  let isBatchFirst: Bool

  init(_ node: NodeContext, gates: Int) throws {
    self.node = node
    self.gates = gates
    isBatchFirst = node.flag("layout")
    let x = try node.floating(0)
    guard x.rank == 3 else { throw node.fail("its input should have three axes, not \(x.shape)") }
    self.x = isBatchFirst ? x.transposed([1, 0, 2]) : x
    switch node.string("direction", "forward") {
    case "forward": reversed = [false]
    case "reverse": reversed = [true]
    case "bidirectional": reversed = [false, true]
    case let other: throw node.fail("there is no direction '\(other)'")
    }
    let (w, r) = (try node.floating(1), try node.floating(2))
    hidden = r.shape.dimensions.last ?? 0
    let rows = gates * hidden
    guard hidden > 0, w.shape == [reversed.count, rows, x.shape[2]],
      r.shape == [reversed.count, rows, hidden], node.int("hidden_size", hidden) == hidden
    else {
      throw node.fail(
        "the weights \(w.shape) and \(r.shape) do not fit \(reversed.count) directions of the "
          + "input \(x.shape)")
    }
    // Initial states and peepholes, too, are of the inputs' type.
    for index in [1, 2, 3, 5, 6, 7] {
      if let value = node.optionalInput(index), value.element != x.element {
        throw node.fail("its input \(index) is \(value.type), but the input is \(x.type)")
      }
    }
    if let b = node.optionalInput(3), b.shape != [reversed.count, 2 * rows] {
      throw node.fail("the biases \(b.shape) should have the shape \([reversed.count, 2 * rows])")
    }
  }

  /// The outputs: all hidden states, the last hidden state, and the last other states.
  func run<Cell: RecurrentCell>(
    _ makeCell: (Direction) throws -> Cell
  ) throws -> [Traced] {
    let (steps, batch) = (x.shape[0], x.shape[1])
    let activations = try Activation.list(
      node, defaults: Cell.activations, directions: reversed.count)
    let clip = node.float("clip")
    let isInside = try self.isInside()
    let initial = try (0..<Cell.stateCount).map { try initialState(5 + $0) }
    var all: [Traced] = []
    var last = [[Traced]](repeating: [], count: Cell.stateCount)
    for index in reversed.indices {
      func own(_ value: Traced) -> Traced {
        value.slice(axis: 0, index..<(index + 1)).reshaped(value.shape.removing([0]))
      }
      let cell = try makeCell(
        Direction(
          node: node, index: index, hidden: hidden, weights: own(try node.input(2)),
          biases: node.optionalInput(3).map { own($0).reshaped([2, gates * hidden]) },
          activations: activations[index], clip: clip))
      // The inputs of all steps in one product, outside of the loop.
      var projection = x.dot(own(try node.input(1)), DotDimensions(contracting: [2], [1]))
      if let bias = cell.bias { projection = projection + bias }
      let (final, outputs) = try Traced.scan(
        constants: cell.constants, carries: initial.map(own),
        stacked: [projection] + (isInside.map { [$0] } ?? []), length: steps,
        reversed: reversed[index]
      ) { constants, state, slices in
        let next = cell.step(slices[0], state, constants)
        guard slices.count > 1 else { return (next, [next[0]]) }
        // Past the end of its sequence a sample's state stays, and its output is zero.
        let kept = zip(next, state).map { slices[1].select($0, $1) }
        return (kept, [slices[1].select(next[0], next[0].zeros())])
      }
      all.append(outputs[0].expanded(at: 1))
      for (place, state) in final.enumerated() { last[place].append(state.expanded(at: 0)) }
    }
    func joined(_ parts: [Traced], axis: Int) -> Traced {
      parts.count == 1 ? parts[0] : Traced.concatenate(parts, axis: axis)
    }
    let y = joined(all, axis: 1)
    let states = last.map { joined($0, axis: 0) }
    assert(y.shape == [steps, reversed.count, batch, hidden])
    return isBatchFirst
      ? [y.transposed([2, 0, 1, 3])] + states.map { $0.transposed([1, 0, 2]) } : [y] + states
  }

  /// `[steps, batch, 1]`: whether a step is one of its sample's, or nil where all are.
  private func isInside() throws -> Traced? {
    guard let lengths = node.optionalInput(4) else { return nil }
    let (steps, batch) = (x.shape[0], x.shape[1])
    guard lengths.shape == [batch], !lengths.element.isFloating, lengths.element != .bool else {
      throw node.fail("its sequence_lens \(lengths.type) are not one for each of \(batch) samples")
    }
    if let known = node.builder.constantValue(of: lengths)?.doubles,
      known.allSatisfy({ $0 >= Double(steps) })
    {
      return nil
    }
    let step = node.builder.emit(
      .iota(TensorType(lengths.element, [steps, batch, 1]), axis: 0), [])[0]
    return step.compare(.less, lengths.reshaped([batch, 1]))
  }

  private func initialState(_ index: Int) throws -> Traced {
    let expected: Shape = [reversed.count, x.shape[1], hidden]
    guard let given = node.optionalInput(index) else {
      return node.builder.full(0, TensorType(x.element, expected))
    }
    let state = isBatchFirst && given.rank == 3 ? given.transposed([1, 0, 2]) : given
    guard state.shape == expected else {
      throw node.fail("its initial state \(index) has the shape \(given.shape), not \(expected)")
    }
    return state
  }
}

/// An activation function with its parameters.
struct Activation {
  var name: String
  var alpha: Double
  var beta: Double

  /// Default parameters; nil where a function takes none.
  private static let parameters: [String: (alpha: Double?, beta: Double?)] = [
    "relu": (nil, nil), "tanh": (nil, nil), "sigmoid": (nil, nil), "softsign": (nil, nil),
    "softplus": (nil, nil), "affine": (1, 0), "leakyrelu": (0.01, nil),
    "thresholdedrelu": (1, nil), "scaledtanh": (1, 1), "hardsigmoid": (0.2, 0.5), "elu": (1, nil),
  ]

  /// The functions of each direction.
  static func list(
    _ node: NodeContext, defaults: [String], directions: Int
  ) throws -> [[Activation]] {
    var names = node.strings("activations") ?? []
    if names.isEmpty { names = defaults }
    if names.count == defaults.count { names = (0..<directions).flatMap { _ in names } }
    guard names.count == defaults.count * directions else {
      throw node.fail("it names \(names.count) activations for \(directions) directions")
    }
    var (alphas, betas) = (
      node.floats("activation_alpha") ?? [], node.floats("activation_beta") ?? []
    )
    // A parameter per function, or only for those that take one.
    let isAligned = (alphas: alphas.count == names.count, betas: betas.count == names.count)
    func next(_ list: inout [Double], _ fallback: Double?, _ isAligned: Bool) -> Double {
      guard isAligned || fallback != nil, !list.isEmpty else { return fallback ?? 0 }
      return list.removeFirst()
    }
    let functions = try names.map { name in
      guard let fallback = parameters[name.lowercased()] else {
        throw node.fail("there is no activation '\(name)'")
      }
      return Activation(
        name: name.lowercased(), alpha: next(&alphas, fallback.alpha, isAligned.alphas),
        beta: next(&betas, fallback.beta, isAligned.betas))
    }
    return (0..<directions).map {
      Array(functions[($0 * defaults.count)..<(($0 + 1) * defaults.count)])
    }
  }

  func callAsFunction(_ x: Traced) -> Traced {
    func positive(_ otherwise: (Traced) -> Traced) -> Traced {
      let isPositive = x.compare(.greater, x.scalar(0))
      return isPositive.select(x, otherwise(isPositive.select(x.zeros(), x)))
    }
    return switch name {
    case "relu": x.relu()
    case "sigmoid": x.sigmoid()
    case "softsign": x / (x.abs() + 1)
    case "softplus": x.softplus()
    case "affine": x * alpha + beta
    case "leakyrelu": positive { $0 * alpha }
    case "thresholdedrelu": x.compare(.greaterOrEqual, x.scalar(alpha)).select(x, x.zeros())
    case "scaledtanh": (x * beta).tanh() * alpha
    case "hardsigmoid": (x * alpha + beta).maximum(x.scalar(0)).minimum(x.scalar(1))
    case "elu": positive { $0.unary(.expm1) * alpha }
    default: x.tanh()
    }
  }
}
