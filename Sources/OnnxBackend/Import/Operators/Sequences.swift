import TensorPrograms

/// The elements of a model's sequences.
///
/// A program has tensors alone: a sequence is a handle there, which nothing computes with, and its elements
/// are kept here by the handle. Names, bodies and functions pass it on like any other value.
final class SequenceTable {
  private struct Key: Hashable {
    var builder: ObjectIdentifier
    var variable: Program.Variable

    init(_ handle: Traced) {
      builder = ObjectIdentifier(handle.builder)
      variable = handle.variable
    }
  }

  /// With the handle, whose builder must live as long as its identity is used.
  private var entries: [Key: (handle: Traced, elements: [Traced])] = [:]

  /// A new sequence of these elements.
  func make(_ elements: [Traced], _ builder: ProgramBuilder) -> Traced {
    // Not a constant, which would be folded into one without a handle.
    let handle = builder.emit(.iota(TensorType(.int64, [1]), axis: 0), [])[0]
    entries[Key(handle)] = (handle, elements)
    return handle
  }

  subscript(handle: Traced) -> [Traced]? { entries[Key(handle)]?.elements }
}

extension OperatorCatalogue {
  /// Sequences of tensors whose length is known when the model is read, as PyTorch's `chunk` and `split`
  /// become.
  static let sequences: [OperatorRule] = [
    OperatorRule("SplitToSequence", constants: [1], isFolded: false) { node in
      let x = try node.input(0)
      let axis = try node.axis(node.int("axis", 0), rank: x.rank)
      let split = try node.optionalConstant(1)
      let sizes = try node.pieces(of: x.shape[axis], split)
      // Sizes of a shape stay known in their pieces.
      let pieces = try node.folded(x) { $0.split(sizes: sizes, axis: axis) }
      guard split == nil, !node.flag("keepdims", true) else { return [node.sequence(pieces)] }
      return [
        node.sequence(
          try pieces.map { piece in
            try node.folded(piece) { [$0.reshaped($0.shape.removing([axis]))] }[0]
          })
      ]
    },
    OperatorRule("SequenceConstruct", isFolded: false) { node in
      [node.sequence(try node.allInputs())]
    },
    OperatorRule("SequenceEmpty", isFolded: false) { node in [node.sequence([])] },
    OperatorRule("SequenceAt", constants: [1], isFolded: false) { node in
      let elements = try node.elements(0)
      return [elements[try node.position(1, count: elements.count)]]
    },
    OperatorRule("SequenceLength", constants: OperatorRule.everyInput, isFolded: false) { node in
      [node.builder.constant(Tensor([Int64(try node.elements(0).count)], shape: []))]
    },
    OperatorRule("SequenceInsert", constants: [2], isFolded: false) { node in
      var elements = try node.elements(0)
      let place =
        node.optionalInput(2) == nil
        ? elements.count : try node.position(2, count: elements.count, orEnd: true)
      elements.insert(try node.input(1), at: place)
      return [node.sequence(elements)]
    },
    OperatorRule("SequenceErase", constants: [1], isFolded: false) { node in
      var elements = try node.elements(0)
      let place =
        node.optionalInput(1) == nil
        ? elements.count - 1 : try node.position(1, count: elements.count)
      guard elements.indices.contains(place) else { throw node.fail("the sequence is empty") }
      elements.remove(at: place)
      return [node.sequence(elements)]
    },
    OperatorRule("ConcatFromSequence", isFolded: false) { node in
      let elements = try node.elements(0)
      guard let first = elements.first, let given = node.int("axis") else {
        throw node.fail("it needs an axis, and a sequence that is not empty")
      }
      let isNew = node.flag("new_axis")
      let axis = try node.axis(given, rank: first.rank + (isNew ? 1 : 0))
      return [
        Traced.concatenate(isNew ? elements.map { $0.expanded(at: axis) } : elements, axis: axis)
      ]
    },
    OperatorRule("SequenceMap", isFolded: false) { node in
      let count = try node.elements(0).count
      let inputs = try node.values.indices.map { index -> [Traced] in
        let value = try node.input(index)
        guard let elements = node.importer.sequences[value] else {
          return [Traced](repeating: value, count: count)
        }
        guard elements.count == count else {
          throw node.fail("its sequences have \(count) and \(elements.count) elements")
        }
        return elements
      }
      let results = try (0..<count).map { place in
        try node.subgraph("body", inputs.map { $0[place] })
      }
      return (0..<node.outputCount).map { index in node.sequence(results.map { $0[index] }) }
    },
  ]
}

extension NodeContext {
  fileprivate func sequence(_ elements: [Traced]) -> Traced {
    importer.sequences.make(elements, builder)
  }

  /// The elements of an input that is a sequence.
  fileprivate func elements(_ index: Int) throws -> [Traced] {
    guard let elements = importer.sequences[try input(index)] else {
      throw fail(
        "its input \(index) ('\(node.input[index])') is no sequence whose elements are known when "
          + "the model is read")
    }
    return elements
  }

  /// A place among `count` elements, negative from the end.
  fileprivate func position(_ index: Int, count: Int, orEnd: Bool = false) throws -> Int {
    guard let place = try integers(index).first,
      (-count..<(orEnd ? count + 1 : count)).contains(place)
    else { throw fail("its place is outside the \(count) elements of the sequence") }
    return place < 0 ? place + count : place
  }

  /// The sizes that an axis is cut into: `split` is one size or all of them, nil is 1.
  fileprivate func pieces(of size: Int, _ split: Tensor?) throws -> [Int] {
    guard split?.shape.rank == 1 else {
      let step = split == nil ? 1 : try number(1)
      guard step >= 1, size >= 0, step == step.rounded() else {
        throw fail("an axis of \(size) entries cannot be cut into pieces of \(step)")
      }
      let width = Int(min(step, Double(max(size, 1))))
      return stride(from: 0, to: size, by: width).map { min(width, size - $0) }
    }
    let sizes = try integers(1)
    guard sizes.allSatisfy({ (0...size).contains($0) }), sizes.reduce(0, +) == size else {
      throw fail("the sizes \(sizes) do not add up to an axis of \(size)")
    }
    return sizes
  }

  /// `body` of a value, computed now where the value is known and small.
  fileprivate func folded(_ x: Traced, _ body: (Traced) -> [Traced]) throws -> [Traced] {
    guard let known = builder.constantValue(of: x), known.shape.count <= foldingLimit else {
      return body(x)
    }
    let small = ProgramBuilder()
    do {
      let program = try small.build(body(small.constant(known)))
      return try ReferenceExecutor().compile(program).run([]).map(builder.constant)
    } catch { throw fail("\(error)") }
  }
}
