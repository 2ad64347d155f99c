import TensorPrograms

extension OperatorCatalogue {
  /// The same elements under another shape, repeated, or in another order.
  static let structural: [OperatorRule] = [
    OperatorRule("Identity") { [try $0.input(0)] },
    OperatorRule("Reshape", constants: [1]) { node in
      let x = try node.input(0)
      var sizes = try node.integers(1)
      if !node.flag("allowzero") {
        for axis in sizes.indices where sizes[axis] == 0 {
          guard axis < x.rank else { throw node.fail("there is no axis \(axis) to keep") }
          sizes[axis] = x.shape[axis]
        }
      }
      if let open = sizes.firstIndex(of: -1) {
        let others = try node.shape(sizes.enumerated().map { $0 == open ? 1 : $1 }).count
        guard others > 0, x.shape.count % others == 0 else {
          throw node.fail("\(x.shape) cannot become \(sizes)")
        }
        sizes[open] = x.shape.count / others
      }
      return [x.reshaped(try node.shape(sizes))]
    },
    OperatorRule("Flatten") { node in
      let x = try node.input(0)
      let axis = node.int("axis", 1)
      guard (-x.rank...x.rank).contains(axis) else {
        throw node.fail("there is no axis \(axis) in \(x.shape)")
      }
      let rows = x.shape.dimensions[..<(axis < 0 ? axis + x.rank : axis)].reduce(1, *)
      let columns = x.shape.dimensions[(axis < 0 ? axis + x.rank : axis)...].reduce(1, *)
      return [x.reshaped([rows, columns])]
    },
    OperatorRule("Squeeze", constants: [1]) { node in
      let x = try node.input(0)
      let given = try node.operatorSet < 13 ? node.ints("axes") : node.optionalIntegers(1)
      let ones = x.shape.dimensions.indices.filter { x.shape[$0] == 1 }
      let axes = try given.map { try node.axes($0, rank: x.rank) } ?? ones
      guard axes.allSatisfy({ x.shape[$0] == 1 }) else {
        throw node.fail("the axes \(axes) of \(x.shape) are not all of size 1")
      }
      return [x.reshaped(x.shape.removing(axes))]
    },
    OperatorRule("Unsqueeze", constants: [1]) { node in
      let x = try node.input(0)
      let given = try node.operatorSet < 13 ? node.ints("axes") ?? [] : node.integers(1)
      guard given.count <= 64 else { throw node.fail("\(given.count) axes are too many") }
      let axes = try node.axes(given, rank: x.rank + given.count)
      return [x.reshaped(axes.reduce(x.shape) { $0.inserting(1, at: $1) })]
    },
    OperatorRule("Transpose") { node in
      let x = try node.input(0)
      return [x.transposed(node.ints("perm"))]
    },
    OperatorRule("Expand", constants: [1]) { node in
      let x = try node.input(0)
      let wanted = try node.shape(node.integers(1))
      guard let shape = x.shape.broadcast(with: wanted) else {
        throw node.fail("\(x.shape) and \(wanted) do not broadcast")
      }
      return [x.broadcast(to: shape)]
    },
    OperatorRule("Tile", constants: [1]) { node in
      let x = try node.input(0)
      let repeats = try node.integers(1)
      guard repeats.count == x.rank else {
        throw node.fail("it needs \(x.rank) counts, not \(repeats)")
      }
      let sizes = try zip(repeats, x.shape.dimensions).map { count, size -> Int in
        guard count >= 0, count <= 1 << 40 else {
          throw node.fail("it cannot repeat \(count) times")
        }
        return count.multipliedReportingOverflow(by: size).overflow ? -1 : count * size
      }
      let shape = try node.shape(sizes)
      let wide = zip(repeats, x.shape.dimensions).flatMap { [$0, $1] }
      return [
        x.broadcast(to: Shape(wide), axes: (0..<x.rank).map { 2 * $0 + 1 }).reshaped(shape)
      ]
    },
    OperatorRule("DepthToSpace") { node in
      let (x, size) = try blocks(node, divides: [1])
      let (n, c, h, w) = (x.shape[0], x.shape[1] / (size * size), x.shape[2], x.shape[3])
      let isColumnFirst = node.string("mode", "DCR") == "CRD"
      return [
        isColumnFirst
          ? x.reshaped([n, c, size, size, h, w]).transposed([0, 1, 4, 2, 5, 3])
            .reshaped([n, c, h * size, w * size])
          : x.reshaped([n, size, size, c, h, w]).transposed([0, 3, 4, 1, 5, 2])
            .reshaped([n, c, h * size, w * size])
      ]
    },
    OperatorRule("SpaceToDepth") { node in
      let (x, size) = try blocks(node, divides: [2, 3])
      let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / size, x.shape[3] / size)
      return [
        x.reshaped([n, c, h, size, w, size])
          .transposed(
            node.string("mode", "DCR") == "CRD" ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]
          )
          .reshaped([n, c * size * size, h, w])
      ]
    },
    OperatorRule("Trilu", constants: [1]) { node in
      let x = try node.input(0)
      guard x.rank >= 2 else { throw node.fail("it takes matrices, not \(x.shape)") }
      let offset = try node.optionalIntegers(1)?.first ?? 0
      let rows = x.places(along: x.rank - 2, element: .int64)
      let columns = x.places(along: x.rank - 1, element: .int64)
      let bound = rows + rows.scalar(Double(offset))
      let isKept = columns.compare(node.flag("upper", true) ? .greaterOrEqual : .lessOrEqual, bound)
      return [isKept.select(x, x.element == .bool ? x.falses : x.zeros())]
    },
  ]

  private static func blocks(
    _ node: NodeContext, divides axes: [Int]
  ) throws -> (Traced, Int) {
    let x = try node.input(0)
    let size = node.int("blocksize", 0)
    guard x.rank == 4, (1...(1 << 20)).contains(size) else {
      throw node.fail("it needs four axes and a block size, not \(x.shape) and \(size)")
    }
    for axis in axes {
      guard x.shape[axis] % (axes.count == 1 ? size * size : size) == 0 else {
        throw node.fail("blocks of \(size) do not fit \(x.shape)")
      }
    }
    return (x, size)
  }
}

extension Traced {
  var falses: Traced { builder.full(0, TensorType(.bool, shape)) }
}
