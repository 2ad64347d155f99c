import TensorPrograms

extension PrimitiveTable {
  private static let plain = Domain.uniform(-2, 2)

  static let structural: [PrimitiveRow] = [
    PrimitiveRow("constant", .structural(.constant)) { element, random in
      let type = TensorType(element, random.shape())
      let value = plain.draw(type, &random)
      return PrimitiveInstance([(type, plain)]) { [$0[0] * $0[0].builder.constant(value)] }
    },
    PrimitiveRow("iota", .structural(.iota)) { element, random in
      let type = TensorType(element, random.shape(ranks: 1...3))
      let axis = random.integer(0...(type.shape.rank - 1))
      return PrimitiveInstance([(type, plain)]) {
        [$0[0] * $0[0].builder.emit(.iota(type, axis: axis), [])[0]]
      }
    },
    PrimitiveRow(
      "iota of integers", .structural(.iota), elements: [.int32, .int64], derivative: .none
    ) { element, random in
      let type = TensorType(element, random.shape(ranks: 1...3))
      let axis = random.integer(0...(type.shape.rank - 1))
      return PrimitiveInstance([(type, .integers(-9...9))]) {
        [$0[0] + $0[0].builder.emit(.iota(type, axis: axis), [])[0]]
      }
    },
    PrimitiveRow("reshape", .structural(.reshape)) { element, random in
      let shape = random.shape()
      var factors = shape.dimensions.shuffled(using: &random)
      if random.chance(0.5) { factors.insert(1, at: random.integer(0...factors.count)) }
      if factors.count > 1, random.chance(0.5) {
        factors = [factors[0] * factors[1]] + factors[2...]
      }
      return PrimitiveInstance(.reshape(Shape(factors)), (TensorType(element, shape), plain))
    },
    PrimitiveRow("reshape to scalar and back", .structural(.reshape)) { element, _ in
      PrimitiveInstance([(TensorType(element, [1, 1]), plain)]) {
        [$0[0].reshaped([]), $0[0].reshaped([]).reshaped([1])]
      }
    },
    PrimitiveRow("transpose", .structural(.transpose)) { element, random in
      let shape = random.shape(ranks: 0...4)
      let permutation = Array(0..<shape.rank).shuffled(using: &random)
      return PrimitiveInstance(.transpose(permutation), (TensorType(element, shape), plain))
    },
    PrimitiveRow(
      "transpose of bools", .structural(.transpose), elements: [.bool], derivative: .none
    ) { element, random in
      let shape = random.shape(ranks: 2...3)
      return PrimitiveInstance(
        .transpose((0..<shape.rank).reversed()), (TensorType(element, shape), .bools))
    },
    PrimitiveRow("broadcast", .structural(.broadcast)) { element, random in
      let target = random.shape(ranks: 0...4)
      let axes = random.axes(of: target)
      let from = Shape(axes.map { random.chance(0.3) ? 1 : target[$0] })
      return PrimitiveInstance(
        .broadcast(target, axes: axes), (TensorType(element, from), plain))
    },
    PrimitiveRow("broadcast of a scalar", .structural(.broadcast)) { element, random in
      PrimitiveInstance(
        .broadcast(random.shape(ranks: 1...3), axes: []), (TensorType(element, []), plain))
    },
    PrimitiveRow("slice", .structural(.slice)) { element, random in
      let shape = random.shape(ranks: 1...3)
      let start = shape.dimensions.map { random.integer(0...$0) }
      let limit = zip(start, shape.dimensions).map { random.integer($0...$1) }
      return PrimitiveInstance(
        .slice(start: start, limit: limit, stride: start.map { _ in random.integer(1...3) }),
        (TensorType(element, shape), plain))
    },
    PrimitiveRow("slice with strides", .structural(.slice)) { element, random in
      let sizes = [random.integer(4...7), random.integer(4...7)]
      return PrimitiveInstance(
        .slice(
          start: [random.integer(0...1), random.integer(0...2)], limit: sizes,
          stride: [random.integer(2...3), random.integer(1...2)]),
        (TensorType(element, Shape(sizes)), plain))
    },
    PrimitiveRow("split", .structural(.split)) { element, random in
      let sizes = (0..<random.integer(1...3)).map { _ in random.size() }
      var shape = random.shape(ranks: 1...3)
      let axis = random.integer(0...(shape.rank - 1))
      shape[axis] = sizes.reduce(0, +)
      return PrimitiveInstance(
        .split(sizes: sizes, axis: axis), (TensorType(element, shape), plain))
    },
    PrimitiveRow("pad", .structural(.pad)) { element, random in
      let shape = random.shape(ranks: 0...3)
      func widths(_ range: ClosedRange<Int>) -> [Int] {
        shape.dimensions.map { _ in random.integer(range) }
      }
      let (low, high, interior) = (widths(0...2), widths(0...2), widths(0...2))
      return PrimitiveInstance(
        .pad(low: low, high: high, interior: interior, value: random.pick([0, 0, 1.5])),
        (TensorType(element, shape), plain))
    },
    PrimitiveRow("pad with negative widths", .structural(.pad)) { element, random in
      let shape = random.shape(ranks: 1...3, least: 3)
      func widths(_ range: ClosedRange<Int>) -> [Int] {
        shape.dimensions.map { _ in random.integer(range) }
      }
      let (low, high, interior) = (widths(-2...1), widths(-1...2), widths(0...2))
      return PrimitiveInstance(
        .pad(low: low, high: high, interior: interior, value: random.pick([0, -0.5])),
        (TensorType(element, shape), plain))
    },
    PrimitiveRow(
      "pad of integers", .structural(.pad), elements: [.int32, .int64], derivative: .none
    ) { element, random in
      PrimitiveInstance(
        .pad(low: [1, 0], high: [0, 2], interior: [1, 0], value: 7),
        (TensorType(element, [random.size(), random.size()]), .integers(-9...9)))
    },
    PrimitiveRow("concatenate", .structural(.concatenate)) { element, random in
      let shape = random.shape(ranks: 1...3)
      let axis = random.integer(0...(shape.rank - 1))
      let parts = (0..<random.integer(1...3)).map { _ -> (TensorType, Domain) in
        var part = shape
        part[axis] = random.size()
        return (TensorType(element, part), plain)
      }
      return PrimitiveInstance(parts) { [Traced.concatenate($0, axis: axis)] }
    },
    PrimitiveRow("reverse", .structural(.reverse)) { element, random in
      let shape = random.shape()
      return PrimitiveInstance(
        .reverse(random.axes(of: shape)), (TensorType(element, shape), plain))
    },
    PrimitiveRow("reduceSum", .structural(.reduceSum)) { element, random in
      let shape = random.shape(ranks: 0...4)
      return PrimitiveInstance(
        .reduceSum(random.axes(of: shape)), (TensorType(element, shape), plain))
    },
    PrimitiveRow("reduceSum over all axes", .structural(.reduceSum)) { element, random in
      let shape = random.shape()
      return PrimitiveInstance(
        .reduceSum(Array(0..<shape.rank)), (TensorType(element, shape), plain))
    },
    PrimitiveRow(
      "reduceSum of integers", .structural(.reduceSum), elements: [.int32, .int64],
      derivative: .none
    ) { element, random in
      let shape = random.shape()
      return PrimitiveInstance(
        .reduceSum(random.axes(of: shape)), (TensorType(element, shape), .integers(-9...9)))
    },
    PrimitiveRow("reduceMax", .structural(.reduceMax)) { element, random in
      var shape = random.shape(ranks: 0...4)
      let axes = random.axes(of: shape)
      for axis in axes { shape[axis] = max(1, shape[axis]) }
      return PrimitiveInstance(.reduceMax(axes), (TensorType(element, shape), .distinct))
    },
    PrimitiveRow(
      "reduceMax of integers", .structural(.reduceMax), elements: [.int32, .int64],
      derivative: .none
    ) { element, random in
      let shape = random.shape(ranks: 1...3, least: 1)
      return PrimitiveInstance(
        .reduceMax(random.axes(of: shape)), (TensorType(element, shape), .integers(-9...9)))
    },
  ]
}
