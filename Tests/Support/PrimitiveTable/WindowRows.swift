import TensorPrograms

extension PrimitiveTable {
  private static let plain = Domain.uniform(-2, 2)

  /// A window over `rank` axes, and sizes of the axes that it fits at least once.
  private static func window(
    _ random: inout SeededGenerator, rank: Int, tiling: Bool = false, wide: Bool = false
  ) -> (window: Window, spatial: [Int]) {
    let sizes = (0..<rank).map { _ in random.integer(1...3) }
    if tiling {
      let spatial = sizes.map { $0 * random.integer(1...3) + random.integer(0...($0 - 1)) }
      return (Window(sizes: sizes, strides: sizes), spatial)
    }
    let dilation = sizes.map { _ in random.integer(1...2) }
    var window = Window(
      sizes: sizes, strides: sizes.map { _ in random.integer(1...3) }, dilation: dilation,
      low: sizes.map { random.integer(0...($0 - 1)) },
      high: sizes.map { random.integer(0...($0 - 1)) })
    let spatial = sizes.indices.map {
      (sizes[$0] - 1) * dilation[$0] + 1 + random.integer(0...3)
    }
    if wide {
      // Places that see padding alone.
      window.low = window.extents.map { $0 + random.integer(0...2) }
      window.high = window.extents.map { random.integer(0...($0 + 2)) }
    }
    return (window, spatial)
  }

  private static func windowRow(
    _ name: String, _ kind: PrimitiveKind.Structural, rank: Int, tiling: Bool = false,
    wide: Bool = false,
    _ primitive: @escaping @Sendable (Window) -> Primitive
  ) -> PrimitiveRow {
    PrimitiveRow(name, .structural(kind)) { element, random in
      let (window, spatial) = window(
        &random, rank: rank, tiling: tiling, wide: wide)
      let leading = random.shape(ranks: 0...2, least: 1).dimensions
      return PrimitiveInstance(
        primitive(window), (TensorType(element, Shape(leading + spatial)), .distinct))
    }
  }

  static let windows: [PrimitiveRow] =
    (1...3).flatMap { rank in
      [
        windowRow("maximum of \(rank)-D windows", .windowMax, rank: rank) { .windowMax($0) },
        windowRow("sum of \(rank)-D windows", .windowSum, rank: rank) { .windowSum($0) },
      ]
    } + [
      windowRow("maximum of windows side by side", .windowMax, rank: 2, tiling: true) {
        .windowMax($0)
      },
      windowRow("sum of windows over wide padding", .windowSum, rank: 2, wide: true) {
        .windowSum($0)
      },
      PrimitiveRow(
        "windows over integers", .structural(.windowMax), elements: [.int32, .int64],
        derivative: .none
      ) { element, random in
        let (window, spatial) = window(&random, rank: 2)
        return PrimitiveInstance([
          (TensorType(element, Shape([2] + spatial)), .integers(-9...9))
        ]) {
          [$0[0].emitting(.windowMax(window)), $0[0].emitting(.windowSum(window))]
        }
      },
      PrimitiveRow("cumulative sum", .structural(.cumulativeSum)) { element, random in
        let shape = random.shape(ranks: 1...3)
        let axis = random.integer(0...(shape.rank - 1))
        return PrimitiveInstance(
          .cumulativeSum(axis: axis, reversed: random.chance(0.5)),
          (TensorType(element, shape), plain))
      },
      PrimitiveRow(
        "cumulative sum of integers", .structural(.cumulativeSum), elements: [.int32, .int64],
        derivative: .none
      ) { element, random in
        PrimitiveInstance(
          .cumulativeSum(axis: 0, reversed: random.chance(0.5)),
          (TensorType(element, random.shape(ranks: 1...2)), .integers(-9...9)))
      },
      PrimitiveRow("sort", .structural(.sort)) { element, random in
        let shape = random.shape(ranks: 1...3)
        return PrimitiveInstance(
          .sort(axis: random.integer(0...(shape.rank - 1)), descending: random.chance(0.5)),
          (TensorType(element, shape), .distinct))
      },
      PrimitiveRow(
        "sort with ties", .structural(.sort), elements: [.int32, .int64], derivative: .none
      ) { element, random in
        PrimitiveInstance(
          .sort(axis: 0, descending: random.chance(0.5)),
          (TensorType(element, [7, random.size()]), .integers(-2...2)))
      },
      PrimitiveRow(
        "argMax", .structural(.argMax), elements: [.float64, .float32, .int32, .int64],
        derivative: .none
      ) { element, random in
        let shape = random.shape(ranks: 1...3, least: 1)
        return PrimitiveInstance(
          .argMax(axis: random.integer(0...(shape.rank - 1))),
          (TensorType(element, shape), .integers(-2...2)))
      },
    ]

  /// Which operands and result a row's convolution has.
  private enum Map: CaseIterable {
    case output, input, kernel
  }

  private static func convolutionRow(
    _ name: String, rank: Int, _ map: Map, groups: Int = 1, plainWindow: Bool = false,
    wide: Bool = false
  ) -> PrimitiveRow {
    PrimitiveRow(name, .structural(.convolution)) { element, random in
      var (window, spatial) = window(&random, rank: rank, wide: wide)
      if plainWindow {
        window = Window(sizes: window.sizes)
        spatial = spatial.map { $0 + 1 }
      }
      let (samples, o, c) = (
        random.integer(1...3), groups * random.integer(1...2), random.integer(1...2)
      )
      let out = spatial.indices.map { axis in
        (spatial[axis] + window.low[axis] + window.high[axis]
          - (window.sizes[axis] - 1) * window.dilation[axis] - 1) / window.strides[axis] + 1
      }
      let role: Convolution.Role =
        switch map {
        case .output: .output
        case .input: .input(spatial: spatial)
        case .kernel: .kernel(window: window.sizes)
        }
      let types = [
        [samples, groups * c] + spatial, [o, c] + window.sizes, [samples, o] + out,
      ].map { TensorType(element, Shape($0)) }
      let operands =
        switch map {
        case .output: (types[0], types[1])
        case .input: (types[2], types[1])
        case .kernel: (types[0], types[2])
        }
      return PrimitiveInstance(
        .convolution(
          Convolution(
            strides: window.strides, dilation: window.dilation, low: window.low,
            high: window.high, groups: groups, role: role)),
        (operands.0, plain), (operands.1, plain))
    }
  }

  static let convolutions: [PrimitiveRow] =
    [
      convolutionRow("convolution", rank: 2, .output, plainWindow: true),
      convolutionRow("transposed convolution", rank: 2, .input, plainWindow: true),
      convolutionRow("kernel of a convolution", rank: 2, .kernel, plainWindow: true),
    ]
    + (1...3).flatMap { rank in
      [
        convolutionRow("\(rank)-D convolution", rank: rank, .output),
        convolutionRow("\(rank)-D transposed convolution", rank: rank, .input),
        convolutionRow("kernel of a \(rank)-D convolution", rank: rank, .kernel),
      ]
    }
    + [
      convolutionRow("convolution over wide padding", rank: 2, .output, wide: true),
      convolutionRow("transposed convolution over wide padding", rank: 2, .input, wide: true),
      convolutionRow("kernel of a convolution over wide padding", rank: 2, .kernel, wide: true),
      convolutionRow("convolution in groups", rank: 2, .output, groups: 3),
      convolutionRow("transposed convolution in groups", rank: 2, .input, groups: 2),
      convolutionRow("kernel of a convolution in groups", rank: 2, .kernel, groups: 2),
    ]
}

extension Traced {
  fileprivate func emitting(_ primitive: Primitive) -> Traced { builder.emit(primitive, [self])[0] }
}
