/// Emits equations, replacing each by an earlier or simpler equal where it knows one.
struct Rewriter {
  private struct Key: Hashable {
    var primitive: Primitive
    var operands: [Program.Variable]
  }

  let builder: ProgramBuilder
  private var seen: [Key: [Traced]] = [:]

  /// Results of at most this many elements are folded into constants.
  private static let foldingLimit = 4096

  init(builder: ProgramBuilder) { self.builder = builder }

  mutating func emit(_ primitive: Primitive, _ x: [Traced]) -> [Traced] {
    if case .call(let body) = primitive {
      var values = [Program.Variable: Traced](uniqueKeysWithValues: zip(body.inputs, x))
      for equation in body.equations {
        if let source = equation.source { builder.source = source }
        let results = emit(equation.primitive, equation.operands.map { values[$0]! })
        for (result, value) in zip(equation.results, results) { values[result] = value }
      }
      return body.outputs.map { values[$0]! }
    }
    var primitive = primitive
    if case .scan(var scan) = primitive {
      scan.body = scan.body.simplified()
      if let simpler = simplify(scan, x) { return simpler }
      primitive = .scan(scan)
    }
    if let simpler = simplify(primitive, x) { return simpler }
    var key = Key(primitive: primitive, operands: x.map(\.variable))
    if case .binary(let function) = primitive, function.isCommutative {
      key.operands.sort { $0.index < $1.index }
    }
    if let earlier = seen[key] { return earlier }
    let results = fold(primitive, x) ?? builder.emit(primitive, x)
    seen[key] = results
    return results
  }

  mutating func one(_ primitive: Primitive, _ x: Traced...) -> [Traced] {
    emit(primitive, x)
  }

  // MARK: What is known of an operand

  func definition(_ x: Traced) -> Program.Equation? { builder.definition(of: x.variable) }

  func operand(_ equation: Program.Equation, _ index: Int = 0) -> Traced {
    Traced(builder: builder, variable: equation.operands[index])
  }

  /// The one number that every element of `x` equals, if that is known.
  func uniform(_ x: Traced) -> Double? {
    guard let equation = definition(x) else { return nil }
    switch equation.primitive {
    case .constant(let value): return value.shape.count <= 64 ? value.uniformValue : nil
    case .broadcast, .reshape: return uniform(operand(equation))
    default: return nil
    }
  }

  private func constant(_ x: Traced) -> Tensor? {
    if case .constant(let value)? = definition(x)?.primitive { value } else { nil }
  }

  private mutating func full(_ value: Double, _ type: TensorType) -> [Traced] {
    let scalar = one(.constant(Tensor(scalar: value, type.element)))[0]
    guard type.shape.rank > 0 else { return [scalar] }
    return one(.broadcast(type.shape, axes: []), scalar)
  }

  // MARK: Rules

  /// Constant folding of small results; broadcasts and iotas stay symbolic, since executors need not
  /// carry them out.
  private func fold(_ primitive: Primitive, _ x: [Traced]) -> [Traced]? {
    switch primitive {
    case .broadcast, .scan: return nil
    default: break
    }
    let values = x.compactMap(constant)
    guard !x.isEmpty, values.count == x.count,
      let types = try? primitive.resultTypes(x.map(\.type)),
      types.allSatisfy({ $0.shape.count <= Self.foldingLimit }),
      let results = try? evaluate(primitive, values, resultTypes: types)
    else { return nil }
    return results.map(builder.constant)
  }

  private mutating func simplify(_ primitive: Primitive, _ x: [Traced]) -> [Traced]? {
    switch primitive {
    case .binary(let function):
      return simplify(function, x[0], x[1])

    case .unary(let function):
      if let value = uniform(x[0]), x[0].rank > 0 {
        // A function of a repeated number is the repeated function of it.
        let scalar = one(.constant(Tensor(scalar: value, x[0].element)))[0]
        return one(.broadcast(x[0].shape, axes: []), one(primitive, scalar)[0])
      }
      guard let inner = definition(x[0]) else { return nil }
      if function == .negate, inner.primitive == .unary(.negate) { return [operand(inner)] }
      if case .broadcast = inner.primitive {
        return one(inner.primitive, one(primitive, operand(inner))[0])
      }
      return nil

    case .convert(let element):
      if x[0].element == element { return x }
      if let value = uniform(x[0]), x[0].rank > 0 {
        let scalar = one(.constant(Tensor(scalar: value, x[0].element)))[0]
        return one(.broadcast(x[0].shape, axes: []), one(primitive, scalar)[0])
      }
      return nil

    case .reshape(let shape):
      if x[0].shape == shape { return x }
      if let value = uniform(x[0]), x[0].rank > 0 {
        return full(value, TensorType(x[0].element, shape))
      }
      if let inner = definition(x[0]), case .reshape = inner.primitive {
        return one(.reshape(shape), operand(inner))
      }
      return nil

    case .transpose(let permutation):
      if permutation == Array(permutation.indices) { return x }
      guard let inner = definition(x[0]) else { return nil }
      switch inner.primitive {
      case .transpose(let first):
        return one(.transpose(permutation.map { first[$0] }), operand(inner))
      case .dot(let dimensions) where dimensions.leftBatch.isEmpty:
        // The operands of a product change places when its free axes do.
        let (a, b) = (operand(inner), operand(inner, 1))
        let left = dimensions.leftFree(rank: a.rank).count
        let right = dimensions.rightFree(rank: b.rank).count
        guard permutation == (0..<right).map({ left + $0 }) + Array(0..<left) else { return nil }
        return one(
          .dot(DotDimensions(contracting: dimensions.rightContracting, dimensions.leftContracting)),
          b, a)
      default:
        return nil
      }

    case .broadcast(let shape, let axes):
      if x[0].shape == shape { return x }
      guard let inner = definition(x[0]) else { return nil }
      switch inner.primitive {
      case .broadcast(_, let first):
        return one(.broadcast(shape, axes: first.map { axes[$0] }), operand(inner))
      case .reshape:
        // Axes of size 1 that a reshape put in need not be there to be repeated.
        let source = operand(inner)
        let wide = x[0].shape.dimensions.indices.filter { x[0].shape[$0] != 1 }
        guard source.shape.dimensions == wide.map({ x[0].shape[$0] }) else { return nil }
        return one(.broadcast(shape, axes: wide.map { axes[$0] }), source)
      default:
        return nil
      }

    case .select:
      if x[1].variable == x[2].variable { return [x[1]] }
      if let condition = uniform(x[0]) { return [condition != 0 ? x[1] : x[2]] }
      return nil

    case .slice(let start, let limit, let stride):
      let whole =
        start.allSatisfy { $0 == 0 } && limit == x[0].shape.dimensions
        && stride.allSatisfy { $0 == 1 }
      return whole ? x : nil

    case .split(let sizes, _):
      return sizes.count == 1 ? x : nil

    case .concatenate(let axis):
      if x.count == 1 { return x }
      let parts = x.map { part -> [Traced] in
        guard let inner = definition(part), inner.primitive == primitive else { return [part] }
        return inner.operands.map { Traced(builder: builder, variable: $0) }
      }
      return parts.contains { $0.count > 1 }
        ? emit(.concatenate(axis: axis), parts.flatMap(\.self)) : nil

    case .reverse(let axes):
      return axes.isEmpty ? x : nil

    case .pad(let low, let high, let interior, _):
      return (low + high + interior).allSatisfy { $0 == 0 } ? x : nil

    case .reduceSum(let axes):
      if axes.isEmpty { return x }
      if let inner = definition(x[0]), inner.primitive == .unary(.negate) {
        return one(.unary(.negate), one(primitive, operand(inner))[0])
      }
      guard let value = uniform(x[0]), x[0].element.isFloating else { return nil }
      let count = axes.reduce(1) { $0 * x[0].shape[$1] }
      return full(
        count == 0 ? 0 : value * Double(count),
        TensorType(x[0].element, x[0].shape.removing(axes)))

    case .reduceMax(let axes):
      return axes.isEmpty ? x : nil

    case .dot(let dimensions):
      return foldTransposes(dimensions, x[0], x[1])

    case .cumulativeSum(let axis, _):
      return x[0].shape[axis] == 1 ? x : nil

    case .windowMax(let window), .windowSum(let window):
      return window == Window(sizes: window.sizes.map { _ in 1 }) ? x : nil

    case .compare, .stopGradient, .constant, .iota, .gather, .scatterAdd, .argMax, .sort,
      .convolution, .call, .scan:
      return nil
    }
  }

  private mutating func simplify(
    _ function: BinaryFunction, _ a: Traced, _ b: Traced
  ) -> [Traced]? {
    let (left, right) = (uniform(a), uniform(b))
    if let left, let right, a.rank > 0 {
      let x = one(.constant(Tensor(scalar: left, a.element)))[0]
      let y = one(.constant(Tensor(scalar: right, a.element)))[0]
      return one(.broadcast(a.shape, axes: []), one(.binary(function), x, y)[0])
    }
    if let inner = definition(a), case .broadcast = inner.primitive, let other = definition(b),
      other.primitive == inner.primitive, operand(inner).shape == operand(other).shape
    {
      // Numbers are combined before they are repeated.
      return one(
        inner.primitive, one(.binary(function), operand(inner), operand(other))[0])
    }
    switch function {
    case .add:
      if right == 0 { return [a] }
      if left == 0 { return [b] }
      if let joined = joinPads(a, b) ?? joinPads(b, a) { return joined }
      if case .unary(.negate)? = definition(b)?.primitive {
        return one(.binary(.subtract), a, operand(definition(b)!))
      }
    case .subtract:
      if right == 0 { return [a] }
      if left == 0 { return one(.unary(.negate), b) }
      if case .unary(.negate)? = definition(b)?.primitive {
        return one(.binary(.add), a, operand(definition(b)!))
      }
    case .multiply:
      if right == 1 { return [a] }
      if left == 1 { return [b] }
      if right == -1 { return one(.unary(.negate), a) }
      if left == -1 { return one(.unary(.negate), b) }
      if a.variable == b.variable { return one(.unary(.square), a) }
      if let merged = mergeFactors(a, right) ?? mergeFactors(b, left) { return merged }
    case .divide:
      if right == 1 { return [a] }
    case .power:
      if right == 1 { return [a] }
      if right == 2 { return one(.unary(.square), a) }
    case .maximum, .minimum, .and, .or:
      if a.variable == b.variable { return [a] }
    case .remainder:
      break
    }
    return nil
  }

  /// The sum of two arrays that zeros extend along one axis, the second beginning where the first ends:
  /// the cotangent of a split.
  private mutating func joinPads(_ a: Traced, _ b: Traced) -> [Traced]? {
    guard let first = definition(a), let second = definition(b),
      case .pad(let lowA, let highA, let inA, let valueA) = first.primitive,
      case .pad(let lowB, let highB, let inB, let valueB) = second.primitive,
      valueA == 0, valueB == 0, (inA + inB).allSatisfy({ $0 == 0 }),
      (lowA + highA + lowB + highB).allSatisfy({ $0 >= 0 }),
      let axis = lowA.indices.first(where: { lowA[$0] != lowB[$0] || highA[$0] != highB[$0] }),
      lowA.indices.allSatisfy({ $0 == axis || lowA[$0] == lowB[$0] && highA[$0] == highB[$0] }),
      lowA[axis] + operand(first).shape[axis] == lowB[axis]
    else { return nil }
    var high = highA
    high[axis] = highB[axis]
    let joined = one(.concatenate(axis: axis), operand(first), operand(second))[0]
    return one(.pad(low: lowA, high: high, interior: inA, value: 0), joined)
  }

  /// `(y c) d = y (c d)` for numbers `c` and `d`.
  private mutating func mergeFactors(_ x: Traced, _ factor: Double?) -> [Traced]? {
    guard let factor, x.element.isFloating, let inner = definition(x),
      inner.primitive == .binary(.multiply)
    else { return nil }
    for (index, other) in [(0, 1), (1, 0)] {
      guard let first = uniform(operand(inner, index)) else { continue }
      let product = first * factor
      guard x.element == .float32 ? Float(product).isNormal : product.isNormal else { continue }
      return one(.binary(.multiply), operand(inner, other), full(product, x.type)[0])
    }
    return nil
  }

  /// Reads a transposed operand in place, where the order of its free axes stays the same.
  private mutating func foldTransposes(
    _ dimensions: DotDimensions, _ a: Traced, _ b: Traced
  ) -> [Traced]? {
    if let inner = definition(a), case .transpose(let permutation) = inner.primitive {
      let free = dimensions.leftFree(rank: a.rank).map { permutation[$0] }
      if free == free.sorted() {
        var folded = dimensions
        folded.leftContracting = dimensions.leftContracting.map { permutation[$0] }
        folded.leftBatch = dimensions.leftBatch.map { permutation[$0] }
        return one(.dot(folded), operand(inner), b)
      }
    }
    if let inner = definition(b), case .transpose(let permutation) = inner.primitive {
      let free = dimensions.rightFree(rank: b.rank).map { permutation[$0] }
      if free == free.sorted() {
        var folded = dimensions
        folded.rightContracting = dimensions.rightContracting.map { permutation[$0] }
        folded.rightBatch = dimensions.rightBatch.map { permutation[$0] }
        return one(.dot(folded), a, operand(inner))
      }
    }
    return nil
  }
}

extension BinaryFunction {
  /// Whether the operands may change places.
  var isCommutative: Bool {
    switch self {
    case .add, .multiply, .and, .or: true
    case .subtract, .divide, .power, .maximum, .minimum, .remainder: false
    }
  }
}
