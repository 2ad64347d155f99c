import TensorPrograms

extension OperatorCatalogue {
  /// Elements at places that other tensors name.
  static let indexing: [OperatorRule] = [
    OperatorRule("Gather") { node in
      let x = try node.input(0)
      let axis = try node.axis(node.int("axis", 0), rank: x.rank)
      return [x.gather(try node.places(node.input(1), in: x.shape[axis]), axis: axis)]
    },
    OperatorRule("GatherElements") { node in
      let x = try node.input(0)
      let places = try node.flatPlaces(node.input(1), in: x.shape)
      return [x.reshaped([x.shape.count]).gather(places, axis: 0)]
    },
    OperatorRule("GatherND") { node in
      let (x, indices) = (try node.input(0), try node.input(1))
      let batch = node.int("batch_dims", 0)
      let depth = indices.shape.dimensions.last ?? 0
      guard batch >= 0, batch < min(x.rank, indices.rank), batch + depth <= x.rank else {
        throw node.fail("indices of shape \(indices.shape) do not fit \(x.shape)")
      }
      let indexed = Array(x.shape.dimensions[batch..<(batch + depth)])
      let rest = x.shape.dimensions[(batch + depth)...]
      let places = try node.flatPlaces(rows: indices, in: indexed)
      let flat = x.reshaped(
        Shape(x.shape.dimensions[..<batch] + [indexed.reduce(1, *)] + rest))
      return [flat.gather(places, axis: batch, batch: batch)]
    },
    OperatorRule("OneHot", constants: [1]) { node in
      let indices = try node.input(0)
      let depth = try node.number(1)
      guard depth >= 0, depth < 4e9 else { throw node.fail("a depth of \(depth) is not a size") }
      let size = Int(depth)
      let rank = indices.rank + 1
      let axis = try node.axis(node.int("axis", -1), rank: rank)
      let shape = try node.shape(indices.shape.inserting(size, at: axis).dimensions)
      // An index outside of the axis is at no place.
      let given = indices.converted(to: .int64)
      let places = given.compare(.less, given.scalar(0)).select(given + depth, given)
      let wide = places.broadcast(to: shape, axes: (0..<rank).filter { $0 != axis })
      let isPlace = wide.compare(.equal, wide.places(along: axis, element: .int64))
      let values = try node.input(2)
      guard values.shape == [2] else { throw node.fail("its values must be two numbers") }
      let pair = values.split(sizes: [1, 1], axis: 0).map { $0.reshaped([]) }
      return [isPlace.select(pair[1].broadcast(to: shape), pair[0].broadcast(to: shape))]
    },
    OperatorRule("Compress", constants: [1]) { node in
      var x = try node.input(0)
      let axis = try node.int("axis").map { try node.axis($0, rank: x.rank) }
      if axis == nil { x = x.reshaped([x.shape.count]) }
      let kept = try node.constant(1).doubles.enumerated().filter { $1 != 0 }.map(\.offset)
      guard kept.allSatisfy({ $0 < x.shape[axis ?? 0] }) else {
        throw node.fail("its condition is longer than the axis")
      }
      let places = node.builder.constant(Tensor(kept.map(Int64.init), shape: [kept.count]))
      return [x.gather(places, axis: axis ?? 0)]
    },
    OperatorRule("NonZero", constants: OperatorRule.everyInput) { node in
      let x = try node.constant(0)
      let flat = x.doubles.enumerated().filter { $1 != 0 }.map(\.offset)
      let places = zip(x.shape.strides, x.shape.dimensions).flatMap { stride, size in
        flat.map { Int64($0 / stride % size) }
      }
      return [node.builder.constant(Tensor(places, shape: [x.shape.rank, flat.count]))]
    },
  ]

  /// Tensors with some elements replaced or combined with updates.
  static let scattering: [OperatorRule] =
    ["ScatterElements", "Scatter"].map { name in
      OperatorRule(name) { node in
        let x = try node.input(0)
        let places = try node.flatPlaces(node.input(1), in: x.shape)
        let updates = try node.input(2)
        guard updates.shape == places.shape else {
          throw node.fail("updates of shape \(updates.shape) for indices of shape \(places.shape)")
        }
        return [try scattered(x, places, updates, rowSize: 1, node)]
      }
    } + [
      OperatorRule("ScatterND") { node in
        let (x, indices) = (try node.input(0), try node.input(1))
        let depth = indices.shape.dimensions.last ?? 0
        guard indices.rank > 0, depth <= x.rank else {
          throw node.fail("indices of shape \(indices.shape) do not fit \(x.shape)")
        }
        let places = try node.flatPlaces(
          rows: indices, in: Array(x.shape.dimensions[..<depth]))
        let rowSize = x.shape.dimensions[depth...].reduce(1, *)
        let updates = try node.input(2)
        guard updates.shape.dimensions == places.shape.dimensions + x.shape.dimensions[depth...]
        else { throw node.fail("updates of shape \(updates.shape) do not fit") }
        return [try scattered(x, places, updates, rowSize: rowSize, node)]
      }
    ]

  /// `x`, seen as rows, with `updates` at the rows `places`.
  private static func scattered(
    _ x: Traced, _ places: Traced, _ updates: Traced, rowSize: Int, _ node: NodeContext
  ) throws -> Traced {
    if x.element == .bool {
      let numbers = try scattered(
        x.converted(to: .int32), places, updates.converted(to: .int32), rowSize: rowSize, node)
      return numbers.converted(to: .bool)
    }
    if x.shape.count == 0 || updates.shape.count == 0 { return x }
    let count = places.shape.count
    let rows = x.reshaped([x.shape.count / rowSize, rowSize])
    let size = rows.shape[0]
    let at = places.reshaped([count])
    let news = updates.reshaped([count, rowSize])
    func combined(
      _ rows: Traced, _ news: Traced, _ neutral: Double, _ reduce: (Traced) -> Traced,
      _ combine: (Traced, Traced) -> Traced
    ) throws -> Traced {
      // Every update beside every row: for tensors small enough.
      guard count * rowSize <= (1 << 22) / size else {
        throw node.fail("this reduction of \(count) updates into \(x.shape) is too large")
      }
      let shape: Shape = [count, size, rowSize]
      let row = node.builder.emit(.iota(TensorType(.int64, shape), axis: 1), [])[0]
      let isHere = at.converted(to: .int64).broadcast(to: shape, axes: [0]).compare(.equal, row)
      let wide = news.broadcast(to: shape, axes: [0, 2])
      let all = isHere.select(wide, node.builder.full(neutral, wide.type))
      return combine(rows, reduce(all))
    }
    let lowest = x.element.lowest
    let result: Traced
    switch node.string("reduction", "none") {
    case "none":
      let marks = node.builder.full(1, TensorType(.int64, [count])).scatterAdd(
        at, axis: 0, size: size)
      let isHit = marks.compare(.greater, marks.scalar(0)).reshaped([size, 1])
      result = isHit.broadcast(to: rows.shape).select(
        news.scatterAdd(at, axis: 0, size: size), rows)
    case "add": result = rows + news.scatterAdd(at, axis: 0, size: size)
    case "max": result = try combined(rows, news, lowest, { $0.max([0]) }, { $0.maximum($1) })
    case "min":
      result = try combined(
        rows.mirrored, news.mirrored, lowest, { $0.max([0]) }, { $0.maximum($1) }
      ).mirrored
    case "mul":
      result = try combined(
        rows, news, 1, { $0.product(along: 0).reshaped(rows.shape) }, { $0 * $1 })
    case let other: throw node.fail("there is no reduction '\(other)'")
    }
    return result.reshaped(x.shape)
  }
}

extension NodeContext {
  /// Indices with negative ones counted from the end of an axis with `size` entries.
  /// - Throws: where a known index is outside of it.
  func places(_ indices: Traced, in size: Int) throws -> Traced {
    guard indices.element == .int32 || indices.element == .int64 else {
      throw fail("indices are integers, not \(indices.type)")
    }
    if let known = builder.constantValue(of: indices), indices.shape.count > 0 {
      guard known.doubles.allSatisfy({ $0 >= Double(-size) && $0 < Double(size) }) else {
        throw fail("an index is outside the \(size) entries of its axis")
      }
      return builder.constant(
        Tensor(known.doubles.map { $0 < 0 ? $0 + Double(size) : $0 }, type: known.type))
    }
    return indices.compare(.less, indices.scalar(0)).select(indices + Double(size), indices)
  }

  /// Row-major positions of elements that `indices` names along `axis`, its own place along the others.
  fileprivate func flatPlaces(_ indices: Traced, in shape: Shape) throws -> Traced {
    let axis = try axis(int("axis", 0), rank: shape.rank)
    guard indices.rank == shape.rank,
      zip(indices.shape.dimensions, shape.dimensions).enumerated().allSatisfy({
        $0 == axis || $1.0 <= $1.1
      })
    else { throw fail("indices of shape \(indices.shape) do not fit \(shape)") }
    var sum = try places(indices, in: shape[axis]) * Double(shape.strides[axis])
    for other in 0..<shape.rank where other != axis {
      sum =
        sum + indices.places(along: other, element: indices.element)
        * Double(shape.strides[other])
    }
    return sum
  }

  /// Row-major positions that the last axis of `rows` names, an index for each of `sizes`.
  fileprivate func flatPlaces(rows: Traced, in sizes: [Int]) throws -> Traced {
    let shape = Shape(Array(rows.shape.dimensions.dropLast()))
    let strides = Shape(sizes).strides
    var sum = builder.full(0, TensorType(rows.element, shape))
    for (index, size) in sizes.enumerated() {
      let column = rows.slice(axis: rows.rank - 1, index..<(index + 1)).reshaped(shape)
      sum = sum + (try places(column, in: size)) * Double(strides[index])
    }
    return sum
  }
}
