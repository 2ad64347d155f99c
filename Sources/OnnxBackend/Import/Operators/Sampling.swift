import TensorPrograms

extension OperatorCatalogue {
  /// Images read at points that a network computes.
  static let sampling: [OperatorRule] = [
    OperatorRule("GridSample") { node in
      let (x, grid) = (try node.input(0), try node.input(1))
      let axes = x.rank - 2
      guard axes >= 1, grid.rank == x.rank, grid.shape[0] == x.shape[0],
        grid.shape[axes + 1] == axes, x.shape.count > 0
      else { throw node.fail("a grid of shape \(grid.shape) does not fit \(x.shape)") }
      let rule = try GridReading(node)
      let (batch, count) = (x.shape[0], grid.shape.dimensions[1...axes].reduce(1, *))
      let points = grid.reshaped([batch, count, axes])
      let sizes = Array(x.shape.dimensions[2...])
      let strides = Shape(sizes).strides
      // Every combination of a place along each axis, with the product of their weights.
      var terms: [(place: Traced, weight: Traced?)] = []
      for axis in 0..<axes {
        // The grid's numbers go from the last axis to the first.
        let last = axes - 1 - axis
        let coordinate = points.slice(axis: 2, last..<(last + 1)).reshaped([batch, count])
        let along = rule.neighbours(of: coordinate, size: sizes[axis]).map {
          (place: $0.place * Double(strides[axis]), weight: $0.weight)
        }
        terms =
          terms.isEmpty
          ? along
          : terms.flatMap { term in
            along.map { (term.place + $0.place, Self.product(term.weight, $0.weight)) }
          }
      }
      let rows = x.reshaped([batch, x.shape[1], sizes.reduce(1, *)]).transposed([0, 2, 1])
      let shape: Shape = [batch, count, x.shape[1]]
      let parts = terms.map { term -> Traced in
        let values = rows.gather(term.place, axis: 1, batch: 1)
        return term.weight.map { values * $0.broadcast(to: shape, axes: [0, 1]) } ?? values
      }
      let sum = parts.dropFirst().reduce(parts[0], +)
      return [
        sum.transposed([0, 2, 1]).reshaped(
          Shape(Array(x.shape.dimensions[..<2]) + Array(grid.shape.dimensions[1...axes])))
      ]
    },
    OperatorRule("AffineGrid", constants: [1]) { node in
      let theta = try node.input(0)
      let size = try node.integers(1)
      let axes = size.count - 2
      guard axes == 2 || axes == 3, theta.shape.dimensions == [size[0], axes, axes + 1]
      else {
        throw node.fail("maps of shape \(theta.shape) do not fit a size of \(size)")
      }
      let sizes = Array(size.dropFirst(2))
      let count = try node.shape(sizes).count
      guard count > 0, count <= node.foldingLimit else {
        throw node.fail("a grid of \(count) points is not one that can be made")
      }
      let isAligned = node.flag("align_corners")
      let strides = Shape(sizes).strides
      let numbers = (0..<count).flatMap { point -> [Double] in
        // From the last axis to the first, then the one that takes the shift.
        (0..<axes).reversed().map { axis in
          let place = Double(point / strides[axis] % sizes[axis])
          let size = Double(sizes[axis])
          return isAligned
            ? (size == 1 ? -1 : 2 * place / (size - 1) - 1) : (2 * place + 1) / size - 1
        } + [1]
      }
      let points = node.builder.constant(
        Tensor(numbers, type: TensorType(theta.element, [count, axes + 1])))
      let moved = theta.dot(points, DotDimensions(contracting: [2], [1]))
      return [moved.transposed([0, 2, 1]).reshaped(Shape([size[0]] + sizes + [axes]))]
    },
  ]

  private static func product(_ a: Traced?, _ b: Traced?) -> Traced? {
    guard let a, let b else { return a ?? b }
    return a * b
  }
}

/// How GridSample reads between pixels and beyond the border.
///
/// The weights are polynomials of the distance to the pixel below, so that the value has derivatives of
/// every order in the grid, between pixels. Reference: onnx/docs/Operators.md, GridSample.
private struct GridReading {
  private enum Mode { case nearest, linear, cubic }
  private enum Padding { case zeros, border, reflection }

  private let mode: Mode
  private let padding: Padding
  private let isAligned: Bool

  init(_ node: NodeContext) throws {
    switch node.string("mode", node.operatorSet < 20 ? "bilinear" : "linear") {
    case "nearest": mode = .nearest
    case "linear", "bilinear": mode = .linear
    case "cubic", "bicubic": mode = .cubic
    case let other: throw node.fail("there is no mode '\(other)'")
    }
    switch node.string("padding_mode", "zeros") {
    case "zeros": padding = .zeros
    case "border": padding = .border
    case "reflection": padding = .reflection
    case let other: throw node.fail("there is no padding_mode '\(other)'")
    }
    isAligned = node.flag("align_corners")
  }

  /// The places along an axis that a value at `coordinate`, from -1 to 1, is made of; nil weighs 1.
  func neighbours(
    of coordinate: Traced, size: Int
  ) -> [(place: Traced, weight: Traced?)] {
    let extent = Double(size)
    let x =
      isAligned
      ? (coordinate + 1) * ((extent - 1) / 2) : ((coordinate + 1) * extent - 1) * 0.5
    if mode == .nearest { return [inside(x.unary(.round), nil, size)] }
    let below = x.unary(.floor)
    let t = x - below
    if mode == .linear { return [inside(below, 1 - t, size), inside(below + 1, t, size)] }
    // Keys' cubic convolution with the constant of PyTorch and of the operator.
    let a = -0.75
    func near(_ d: Traced) -> Traced { ((a + 2) * d - (a + 3)) * d * d + 1 }
    func far(_ d: Traced) -> Traced { ((a * d - 5 * a) * d + 8 * a) * d - 4 * a }
    return [
      inside(below - 1, far(t + 1), size), inside(below, near(t), size),
      inside(below + 1, near(1 - t), size), inside(below + 2, far(2 - t), size),
    ]
  }

  /// A pixel's index within the axis, and its weight there.
  private func inside(
    _ pixel: Traced, _ weight: Traced?, _ size: Int
  ) -> (place: Traced, weight: Traced?) {
    let last = Double(size - 1)
    func clipped(_ value: Traced) -> Traced {
      value.maximum(value.scalar(0)).minimum(value.scalar(last)).converted(to: .int64)
    }
    switch padding {
    case .border: return (clipped(pixel), weight)
    case .zeros:
      let isInside = pixel.compare(.greaterOrEqual, pixel.scalar(0))
        .binary(.and, pixel.compare(.lessOrEqual, pixel.scalar(last)))
      let one = weight ?? pixel.zeros() + 1
      return (clipped(pixel), isInside.select(one, one.zeros()))
    case .reflection:
      let (low, span) = isAligned ? (0, last) : (-0.5, last + 1)
      guard span > 0 else { return (clipped(pixel), weight) }
      let folded = (pixel - low).abs().binary(.remainder, pixel.scalar(2 * span))
      let back = folded.compare(.lessOrEqual, folded.scalar(span)).select(
        folded, 2 * span - folded)
      return (clipped(back + low), weight)
    }
  }
}
