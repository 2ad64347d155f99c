import TensorPrograms

/// Random well-typed programs of some 15 to 40 equations whose first output is one number that depends
/// on all of them.
package enum RandomProgram {
  /// - Parameter smooth: without kinks, jumps and `stopGradient`, so that differences of its values
  ///   show its derivatives.
  package static func instance(
    seed: UInt64, element: ElementType = .float64, smooth: Bool
  ) -> PrimitiveInstance {
    var growth = Growth(element: element, smooth: smooth, random: SeededGenerator(seed))
    for _ in 0..<growth.random.integer(6...14) { growth.step() }
    let outputs = growth.outputs()
    do {
      return PrimitiveInstance(
        program: try growth.builder.build(outputs), domains: growth.domains)
    } catch {
      preconditionFailure("random program \(seed) is ill-typed: \(error)")
    }
  }
}

/// A program on its way: values to draw operands from, each with a bound on its magnitude, so that
/// nothing overflows.
private struct Growth {
  let builder = ProgramBuilder()
  let element: ElementType
  let smooth: Bool
  var random: SeededGenerator
  let domains: [Domain]
  private var pool: [(value: Traced, bound: Double)]
  private var used: Set<Program.Variable> = []
  private let indices: Traced
  private let mask: Traced

  private static let mostElements = 48
  private static let largest = 6.0

  init(element: ElementType, smooth: Bool, random: SeededGenerator) {
    var random = random
    self.element = element
    self.smooth = smooth
    let shapes = (0..<random.integer(2...4)).map { _ in random.shape(ranks: 0...3, least: 1) }
    pool = shapes.map { [builder] in (builder.input(TensorType(element, $0)), 1) }
    // Zeros: valid for any axis, since an axis has at least one entry.
    indices = builder.input(TensorType(.int32, [random.integer(1...3)]))
    mask = builder.input(TensorType(.bool, [random.integer(1...3)]))
    domains = shapes.map { _ in .uniform(-1, 1) } + [.integers(0...0), .bools]
    self.random = random
  }

  /// The loss, then up to two of the values on the way.
  mutating func outputs() -> [Traced] {
    var loss = builder.constant(Tensor(scalar: 0, element))
    for (index, entry) in pool.enumerated() where !used.contains(entry.value.variable) {
      let mean = entry.value.sum() * (1 / Double(max(1, entry.value.shape.count)))
      loss = loss + mean * (0.5 + 0.25 * Double(index % 5))
    }
    return [loss] + (0..<random.integer(0...2)).map { _ in random.pick(pool).value }
  }

  private mutating func take() -> (value: Traced, bound: Double) {
    // Later values are likelier, so that programs grow deep as well as wide.
    let index = max(random.integer(0...(pool.count - 1)), random.integer(0...(pool.count - 1)))
    used.insert(pool[index].value.variable)
    return pool[index]
  }

  private mutating func keep(_ value: Traced, _ bound: Double) {
    guard value.shape.count <= Self.mostElements else {
      return keep(value.sum([0]) * 0.125, bound * Double(value.shape[0]) / 8)
    }
    pool.append(bound > Self.largest ? (value.tanh(), 1) : (value, bound))
  }

  mutating func step() {
    switch random.integer(0...(smooth ? 9 : 11)) {
    case 0, 1: smoothUnary()
    case 2, 3: smoothBinary()
    case 4: product()
    case 5, 6: rearrangement()
    case 7: indexing()
    case 8: reduction()
    case 9: subprogram()
    case 10: kink()
    default: jump()
    }
  }

  private mutating func smoothUnary() {
    let (x, bound) = take()
    let positive = { x.square() + 0.5 }
    switch random.integer(0...19) {
    case 0: keep(-x, bound)
    case 1: keep(x.sin(), 1)
    case 2: keep(x.cos(), 1)
    case 3: keep(x.tanh(), 1)
    case 4: keep(x.sigmoid(), 1)
    case 5: keep(x.erf(), 1)
    case 6: keep(x.softplus(), bound + 1)
    case 7: keep(x.unary(.atan), 1.6)
    case 8: keep(x.square(), bound * bound)
    case 9: keep((x.tanh() * 1.5).exp(), 4.5)
    case 10: keep(x.tanh().unary(.expm1), 1.8)
    case 11: keep(x.sin().unary(.sinh), 1.2)
    case 12: keep(x.cos().unary(.cosh), 1.6)
    case 13: keep((x.tanh() * 0.8).unary(.asin), 1)
    case 14: keep((x.sin() * 0.8).unary(.acos), 2.6)
    case 15: keep(positive().log(), 4)
    case 16: keep(positive().sqrt(), bound + 1)
    case 17: keep(positive().reciprocal(), 2)
    case 18: keep(x.square().unary(.log1p), 4)
    default: keep(x.tanh().unary(.tan), 1.6)
    }
  }

  /// Two values whose shapes broadcast; the second is summed up where it must be.
  private mutating func pair() -> (x: Traced, y: Traced, a: Double, b: Double) {
    let ((x, a), (y, b)) = (take(), take())
    guard let shape = x.shape.broadcast(with: y.shape), shape.count <= Self.mostElements else {
      return (x, y.mean(), a, b)
    }
    return (x, y, a, b)
  }

  private mutating func smoothBinary() {
    let (x, y, a, b) = pair()
    switch random.integer(0...5) {
    case 0: keep(x + y, a + b)
    case 1: keep(x - y, a + b)
    case 2, 3: keep(x * y, a * b)
    case 4: keep(x / (y.square() + 0.5), 2 * a)
    default: keep((x.square() + 0.5).power(y.tanh()), a * a + 2)
    }
  }

  private mutating func product() {
    let ((x, a), (y, b)) = (take(), take())
    var (contracting, batch): ([(Int, Int)], [(Int, Int)]) = ([], [])
    for i in 0..<x.rank {
      let free = (0..<y.rank).filter { j in
        y.shape[j] == x.shape[i] && !(contracting + batch).contains { $0.1 == j }
      }
      guard !free.isEmpty else { continue }
      if contracting.isEmpty || random.chance(0.3) {
        contracting.append((i, random.pick(free)))
      } else if random.chance(0.5) {
        batch.append((i, random.pick(free)))
      }
    }
    let dimensions = DotDimensions(
      contracting: contracting.map(\.0), contracting.map(\.1), batch: batch.map(\.0),
      batch.map(\.1))
    let shared = (contracting + batch).map { x.shape[$0.0] }.reduce(1, *)
    guard x.shape.count * y.shape.count / shared <= Self.mostElements else {
      return keep(x * y.mean(), a * b)
    }
    let terms = contracting.map { x.shape[$0.0] }.reduce(1, *)
    keep(x.dot(y, dimensions), a * b * Double(terms))
  }

  private mutating func rearrangement() {
    let (x, bound) = take()
    let rank = x.rank
    func zeros() -> [Int] { [Int](repeating: 0, count: rank) }
    switch random.integer(0...8) {
    case 0: keep(x.reshaped([x.shape.count]), bound)
    case 1: keep(x.transposed(Array(0..<rank).shuffled(using: &random)), bound)
    case 2:
      let at = random.integer(0...rank)
      let axes = (0..<rank).map { $0 < at ? $0 : $0 + 1 }
      keep(x.broadcast(to: x.shape.inserting(2, at: at), axes: axes), bound)
    case 3 where rank > 0:
      let start = x.shape.dimensions.map { random.integer(0...($0 - 1)) }
      let stride = start.map { _ in random.integer(1...2) }
      let sliced = builder.emit(
        .slice(start: start, limit: x.shape.dimensions, stride: stride), [x])
      keep(sliced[0], bound)
    case 4 where rank > 0:
      let axis = random.integer(0...(rank - 1))
      let first = random.integer(1...x.shape[axis])
      guard first < x.shape[axis] else { return keep(x.reversed(axes: [axis]), bound) }
      let parts = x.split(sizes: [first, x.shape[axis] - first], axis: axis)
      keep(parts[0], bound)
      if random.chance(0.5) { keep(parts[1], bound) }
    case 5:
      let low = zeros().map { _ in random.integer(0...1) }
      let high = zeros().map { _ in random.integer(0...1) }
      let interior = zeros().map { _ in random.integer(0...1) }
      let value = random.pick([0, 0.25])
      let padded = builder.emit(.pad(low: low, high: high, interior: interior, value: value), [x])
      keep(padded[0], max(bound, 0.25))
    case 6 where rank > 0:
      let axis = random.integer(0...(rank - 1))
      keep(Traced.concatenate([x, x.sin(), x], axis: axis), max(bound, 1))
    case 7:
      keep(x.reversed(axes: random.axes(of: x.shape)), bound)
    default:
      guard rank > 0 else { return keep(x.expanded(at: 0), bound) }
      let type = TensorType(element, x.shape)
      let ramp = builder.emit(.iota(type, axis: random.integer(0...(rank - 1))), [])[0]
      keep(x * (ramp * 0.3 + 0.2), bound * 1.4)
    }
  }

  private mutating func indexing() {
    let (x, bound) = take()
    guard x.rank > 0 else {
      let picked = mask.select(x, x.cos())
      return keep(picked, max(bound, 1))
    }
    let axis = random.integer(0...(x.rank - 1))
    let size = x.shape[axis]
    // Indices that no executor knows before it runs: the integer input (zeros) plus a ramp.
    func indices(_ count: Int, below size: Int) -> Traced {
      let ramp = builder.constant(
        Tensor((0..<count).map { _ in Int32(random.integer(0...(size - 1))) }, shape: [count]))
      return ramp + self.indices.slice(axis: 0, 0..<1)
    }
    switch random.integer(0...2) {
    case 0:
      keep(x.gather(indices(random.integer(1...3), below: size), axis: axis), bound)
    case 1:
      let entries = random.integer(1...4)
      let into = indices(size, below: entries)
      keep(x.scatterAdd(into, axis: axis, size: entries), bound * Double(size))
    default:
      let one = indices(1, below: size)
      keep(mask.select(x.gather(one, axis: axis).mean(), x.mean()), bound)
    }
  }

  private mutating func reduction() {
    let (x, bound) = take()
    let axes = random.axes(of: x.shape)
    switch random.integer(0...2) {
    case 0: keep(x.sum(axes), bound * Double(axes.reduce(1) { $0 * x.shape[$1] }))
    case 1: keep(x.mean(axes, keepingAxes: true), bound)
    default:
      guard x.rank > 0 else { return keep(x.mean(), bound) }
      let axis = random.integer(0...(x.rank - 1))
      // The stopped maximum inside cancels out of the derivative.
      keep(random.chance(0.5) ? x.softmax(axis: axis) : x.logSoftmax(axis: axis), 2 * bound + 2)
    }
  }

  private mutating func subprogram() {
    let (x, y, a, b) = pair()
    let body = try? Program.trace(x.type, y.type) { x, y in x.tanh() + (x * y).sin() }
    guard let body else { return keep(x * y, a * b) }
    keep(builder.emit(.call(body), [x, y])[0], 2)
  }

  private mutating func kink() {
    let (x, y, a, b) = pair()
    switch random.integer(0...5) {
    case 0: keep(x.abs(), a)
    case 1: keep(x.relu(), a)
    case 2: keep(x.maximum(y), max(a, b))
    case 3: keep(x.minimum(y), max(a, b))
    case 4: keep(x.max(random.axes(of: x.shape)), a)
    default: keep(x.stopGradient() * y, a * b)
    }
  }

  private mutating func jump() {
    // Shifted and scaled, so that no integer or tie lies where rounding decides.
    let (x, y, _, b) = pair()
    let shifted = x * 1.37 + 0.213
    switch random.integer(0...6) {
    case 0: keep(shifted.sign(), 1)
    case 1: keep(shifted.unary(.floor), 10)
    case 2: keep(shifted.unary(.ceil), 10)
    case 3: keep(shifted.unary(.round), 10)
    case 4:
      let condition = shifted.compare(random.pick(Comparison.allCases), y * 1.61 - 0.117)
      keep(condition.select(y, y.cos()), max(b, 1))
    case 5:
      let condition = shifted.compare(.less, x.scalar(0))
      let other = shifted.compare(.greater, x.scalar(0.7)).unary(.not)
      keep(condition.binary(random.pick([.and, .or]), other).converted(to: element), 1)
    default: keep(shifted.converted(to: .int32).converted(to: element), 10)
    }
  }
}
