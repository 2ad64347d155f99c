import TensorPrograms

extension PrimitiveTable {
  static let indexed: [PrimitiveRow] = [
    gather("gather", batch: 0...0, indices: .int32),
    gather("gather with shared axes", batch: 1...2, indices: .int64),
    PrimitiveRow("gather of one slice", .structural(.gather)) { element, random in
      let size = random.size(least: 1)
      return PrimitiveInstance(
        .gather(axis: 1, batch: 0),
        (TensorType(element, [random.size(), size, random.size()]), .uniform(-2, 2)),
        (TensorType(.int64, []), .integers(0...(size - 1))))
    },
    scatter("scatterAdd", batch: 0...0, indices: .int64),
    scatter("scatterAdd with shared axes", batch: 1...2, indices: .int32),
    PrimitiveRow(
      "gather of integers", .structural(.gather), elements: [.int32, .int64, .bool],
      derivative: .none
    ) { element, random in
      PrimitiveInstance(
        .gather(axis: 0, batch: 0),
        (TensorType(element, [3, random.size()]), element == .bool ? .bools : .integers(-9...9)),
        (TensorType(.int32, [random.size()]), .integers(0...2)))
    },
  ]

  private static func gather(
    _ name: String, batch: ClosedRange<Int>, indices: ElementType
  ) -> PrimitiveRow {
    PrimitiveRow(name, .structural(.gather)) { element, random in
      let layout = IndexedShapes(batch: random.integer(batch), &random)
      return PrimitiveInstance(
        .gather(axis: layout.axis, batch: layout.shared.count),
        (TensorType(element, layout.whole), .uniform(-2, 2)),
        (TensorType(indices, layout.indices), .integers(0...(layout.size - 1))))
    }
  }

  private static func scatter(
    _ name: String, batch: ClosedRange<Int>, indices: ElementType
  ) -> PrimitiveRow {
    PrimitiveRow(name, .structural(.scatterAdd)) { element, random in
      let layout = IndexedShapes(batch: random.integer(batch), &random)
      return PrimitiveInstance(
        .scatterAdd(axis: layout.axis, batch: layout.shared.count, size: layout.size),
        (TensorType(element, layout.parts), .uniform(-2, 2)),
        (TensorType(indices, layout.indices), .integers(0...(layout.size - 1))))
    }
  }
}

/// Shapes that fit one another for `gather` (`whole` to `parts`) and `scatterAdd` (back).
private struct IndexedShapes {
  let shared: [Int]
  let before: [Int]
  let size: Int
  let own: [Int]
  let after: [Int]

  init(batch: Int, _ random: inout SeededGenerator) {
    shared = (0..<batch).map { _ in random.size() }
    before = random.shape(ranks: 0...1).dimensions
    size = random.size(least: 1)
    own = random.shape(ranks: 0...2).dimensions
    after = random.shape(ranks: 0...1).dimensions
  }

  var axis: Int { shared.count + before.count }
  var whole: Shape { Shape(shared + before + [size] + after) }
  var parts: Shape { Shape(shared + before + own + after) }
  var indices: Shape { Shape(shared + own) }
}
