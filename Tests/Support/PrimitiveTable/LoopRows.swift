import TensorPrograms

extension PrimitiveTable {
  private static let plain = Domain.uniform(-1.5, 1.5)

  /// A row of one loop; `body` is traced on constants, carries and slices.
  private static func row(
    _ name: String, elements: [ElementType] = [.float64, .float32],
    _ make: @escaping @Sendable (ElementType, inout SeededGenerator) -> Loop
  ) -> PrimitiveRow {
    PrimitiveRow(name, .structural(.scan), elements: elements) { element, random in
      let loop = make(element, &random)
      let inputs = loop.constants + loop.carries + loop.stacked
      let first = loop.constants.count + loop.carries.count
      return PrimitiveInstance(inputs) { inputs in
        do {
          let results = try Traced.scan(
            constants: Array(inputs[..<loop.constants.count]),
            carries: Array(inputs[loop.constants.count..<first]), stacked: Array(inputs[first...]),
            length: loop.length, reversed: loop.isReversed, body: loop.body)
          return results.carries + results.outputs
        } catch { preconditionFailure("a row of the table is ill-typed: \(error)") }
      }
    }
  }

  private struct Loop {
    var constants: [(TensorType, Domain)] = []
    var carries: [(TensorType, Domain)]
    var stacked: [(TensorType, Domain)] = []
    var length: Int
    var isReversed = false
    var body: ([Traced], [Traced], [Traced]) throws -> (carries: [Traced], outputs: [Traced])
  }

  /// `h' = tanh(x W + h U + b)`, which is also the step's output.
  private static func network(
    _ element: ElementType, _ random: inout SeededGenerator, length: Int, isReversed: Bool
  ) -> Loop {
    let (n, i, h) = (random.size(), random.size(), random.size())
    func plain(_ sizes: Int...) -> (TensorType, Domain) {
      (TensorType(element, Shape(sizes)), Self.plain)
    }
    return Loop(
      constants: [plain(i, h), plain(h, h), plain(h)], carries: [plain(n, h)],
      stacked: [plain(length, n, i)], length: length, isReversed: isReversed
    ) { w, h, x in
      let next = (x[0].matmul(w[0]) + h[0].matmul(w[1]) + w[2]).tanh()
      return ([next], [next, h[0] * x[0].sum([1]).reshaped([n, 1])])
    }
  }

  static let loops: [PrimitiveRow] = [
    row("scan of a recurrent network") {
      network($0, &$1, length: $1.integer(2...4), isReversed: false)
    },
    row("scan of a recurrent network, reversed") {
      network($0, &$1, length: $1.integer(2...4), isReversed: true)
    },
    row("scan of one step") {
      network($0, &$1, length: 1, isReversed: $1.chance(0.5))
    },
    row("scan of no steps") { network($0, &$1, length: 0, isReversed: false) },
    row("scan that counts its steps in a carry") { element, random in
      let (length, type) = (random.integer(2...4), TensorType(element, random.shape(ranks: 0...2)))
      return Loop(
        constants: [(type, plain)], carries: [(.int32(), .integers(0...3)), (type, plain)],
        stacked: [(TensorType(element, type.shape.inserting(length, at: 0)), plain)],
        length: length, isReversed: random.chance(0.5)
      ) { w, carries, x in
        let weight = carries[0].converted(to: element) + 1
        let next = (carries[1] * w[0] + x[0] * weight).sin()
        return ([carries[0] + carries[0].scalar(1), next], [carries[0], next.square()])
      }
    },
    row("scan whose carry moves from the second step on") { element, random in
      let (length, type) = (random.integer(2...5), TensorType(element, random.shape(ranks: 1...2)))
      return Loop(
        carries: [(.int64(2), .integers(-3...3)), (.bool(), .bools)],
        stacked: [(TensorType(element, type.shape.inserting(length, at: 0)), plain)],
        length: length, isReversed: random.chance(0.5)
      ) { _, carries, x in
        let start = carries[0].converted(to: element).sum()
        let (first, second) = try inner(start, x[0], element)
        return ([carries[0] + carries[0], carries[1].unary(.not)], [first, second])
      }
    },
    row("scan of carries that change places") { element, random in
      let (length, n, m) = (random.integer(2...4), random.size(), random.size())
      let matrix = TensorType(element, [n, m])
      return Loop(
        constants: [(TensorType(element, [m, m]), plain)],
        carries: [(matrix, plain), (matrix, plain)],
        stacked: [(TensorType(element, [length, m]), plain)], length: length
      ) { w, carries, x in
        let next = (carries[0].matmul(w[0]) * 0.5 + x[0]).sigmoid()
        return ([carries[1], next], [carries[0] * carries[1], x[0], carries[1].sum([0])])
      }
    },
    row("scan whose carry is the last slice") { element, random in
      let (length, n, m) = (random.integer(2...4), random.size(), random.size())
      let slice = (TensorType(element, [n, m]), plain)
      return Loop(
        constants: [(TensorType(element, [m, n]), plain)],
        carries: [slice, (TensorType(element, [n, n]), plain)],
        stacked: [(TensorType(element, [length, n, m]), plain)], length: length,
        isReversed: random.chance(0.5)
      ) { w, carries, x in
        let product = (carries[0] * x[0]).matmul(w[0])
        return ([x[0].cos(), (carries[1] + product).sin()], [product, w[0].sin()])
      }
    },
    row("scan in a scan") { element, random in
      let (outer, steps) = (random.integer(2...3), random.integer(2...3))
      let (n, m) = (random.size(), random.size())
      return Loop(
        constants: [(TensorType(element, [m, m]), plain)],
        carries: [(TensorType(element, [n, m]), plain)],
        stacked: [(TensorType(element, [outer, steps, m]), plain)], length: outer,
        isReversed: random.chance(0.5)
      ) { w, h, x in
        let results = try Traced.scan(constants: w, carries: h, stacked: x) { w, h, x in
          let next = (h[0].matmul(w[0]) + x[0]).tanh()
          return ([next], [next.sum([0])])
        }
        return (results.carries, [results.outputs[0].square()])
      }
    },
  ]

  /// Sums from a start without a tangent, over three steps.
  private static func inner(
    _ start: Traced, _ x: Traced, _ element: ElementType
  ) throws -> (Traced, Traced) {
    let results = try Traced.scan(constants: [x], carries: [start], length: 3) { x, total, _ in
      ([total[0].sin() + x[0].square().sum()], [total[0] * x[0]])
    }
    return (results.carries[0], results.outputs[0])
  }
}
