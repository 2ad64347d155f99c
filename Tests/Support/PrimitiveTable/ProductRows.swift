import TensorPrograms

extension PrimitiveTable {
  static let products: [PrimitiveRow] = [
    PrimitiveRow("dot of matrices", .structural(.dot)) { element, random in
      let (m, k, n) = (random.size(), random.size(), random.size())
      let (leftFirst, rightFirst) = (random.chance(0.5), random.chance(0.5))
      return PrimitiveInstance(
        .dot(DotDimensions(contracting: [leftFirst ? 0 : 1], [rightFirst ? 0 : 1])),
        (TensorType(element, leftFirst ? [k, m] : [m, k]), .uniform(-2, 2)),
        (TensorType(element, rightFirst ? [k, n] : [n, k]), .uniform(-2, 2)))
    },
    PrimitiveRow("dot of a matrix and a vector", .structural(.dot)) { element, random in
      let (m, k) = (random.size(), random.size())
      return PrimitiveInstance(
        .dot(DotDimensions(contracting: [1], [0])),
        (TensorType(element, [m, k]), .uniform(-2, 2)),
        (TensorType(element, [k]), .uniform(-2, 2)))
    },
    PrimitiveRow("dot of vectors", .structural(.dot)) { element, random in
      let type = TensorType(element, [random.size()])
      return PrimitiveInstance(
        .dot(DotDimensions(contracting: [0], [0])), (type, .uniform(-2, 2)),
        (type, .uniform(-2, 2)))
    },
    PrimitiveRow("dot with batches", .structural(.dot)) { element, random in
      let (b, m, k, n) = (random.size(), random.size(), random.size(), random.size())
      return PrimitiveInstance(
        .dot(DotDimensions(contracting: [2], [1], batch: [0], [0])),
        (TensorType(element, [b, m, k]), .uniform(-2, 2)),
        (TensorType(element, [b, k, n]), .uniform(-2, 2)))
    },
    PrimitiveRow("dot over any axes", .structural(.dot)) { element, random in
      func sizes(_ most: Int) -> [Int] { random.shape(ranks: 0...most).dimensions }
      let (shared, summed, left, right) = (sizes(2), sizes(2), sizes(2), sizes(2))
      // Axes named by what they are, then shuffled on either side.
      let common = shared.indices.map { "b\($0)" } + summed.indices.map { "k\($0)" }
      let commonSizes = shared + summed
      func side(_ free: [Int]) -> (shape: Shape, axes: [Int]) {
        let all = common + free.indices.map { "f\($0)" }
        let order = all.indices.shuffled(using: &random)
        let sizes = commonSizes + free
        return (
          Shape(order.map { sizes[$0] }), common.indices.map { order.firstIndex(of: $0)! }
        )
      }
      let (a, b) = (side(left), side(right))
      let count = shared.count
      return PrimitiveInstance(
        .dot(
          DotDimensions(
            contracting: Array(a.axes[count...]), Array(b.axes[count...]),
            batch: Array(a.axes[..<count]), Array(b.axes[..<count]))),
        (TensorType(element, a.shape), .uniform(-2, 2)),
        (TensorType(element, b.shape), .uniform(-2, 2)))
    },
    PrimitiveRow("call", .structural(.call)) { element, random in
      let type = TensorType(element, random.shape(ranks: 1...2))
      let body = PrimitiveInstance([(type, .uniform(-2, 2)), (type, .uniform(-2, 2))]) {
        let product = $0[0].sin() * $0[1]
        return [product.sum([0]), product.tanh(), $0[1].square()]
      }
      return PrimitiveInstance(
        .call(body.program), (type, .uniform(-2, 2)), (type, .uniform(-2, 2)))
    },
    PrimitiveRow("call within a call", .structural(.call)) { element, random in
      let type = TensorType(element, random.shape(ranks: 0...2))
      let inner = PrimitiveInstance([(type, .uniform(-2, 2))]) { [$0[0].exp(), $0[0] * 3] }
      let outer = PrimitiveInstance([(type, .uniform(-2, 2)), (type, .uniform(-2, 2))]) {
        let parts = $0[0].builder.emit(.call(inner.program), [$0[0] * $0[1]])
        return [parts[0] + parts[1].cos(), $0[0]]
      }
      return PrimitiveInstance([(type, .uniform(-1, 1)), (type, .uniform(-1, 1))]) {
        let first = $0[0].builder.emit(.call(outer.program), $0)
        return [first[0] * first[1], $0[0].builder.emit(.call(inner.program), [first[0]])[1]]
      }
    },
    PrimitiveRow(
      "call with integers and bools", .structural(.call)
    ) { element, random in
      let type = TensorType(element, [3, random.size()])
      let indices = (TensorType(.int32, [random.size()]), Domain.integers(0...2))
      let mask = (TensorType(.bool, type.shape), Domain.bools)
      let inputs = [(type, Domain.uniform(-2, 2)), indices, mask]
      let body = PrimitiveInstance(inputs) {
        let kept = $0[2].select($0[0].square(), -$0[0])
        return [kept.gather($0[1], axis: 0), $0[1], kept]
      }
      return PrimitiveInstance(inputs) { $0[0].builder.emit(.call(body.program), $0) }
    },
  ]
}
