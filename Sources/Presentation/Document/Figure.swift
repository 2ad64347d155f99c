/// A picture as numbers: what is drawn, on which axes, and what to see in it.
public struct Figure: Sendable, Equatable, Codable {
  public enum Scale: String, Sendable, Codable, CaseIterable {
    case linear
    case logarithmic
  }

  public struct Axis: Sendable, Equatable, Codable {
    public var label: String
    public var unit: String?
    public var scale: Scale
    /// Of the numbers beside it.
    public var format: NumberFormat
    /// Its ends; nil for those of what is drawn.
    public var range: Range?

    public init(
      _ label: String, unit: String? = nil, scale: Scale = .linear,
      format: NumberFormat = .significant(3), range: Range? = nil
    ) {
      self.label = label
      self.unit = unit
      self.scale = scale
      self.format = format
      self.range = range
    }
  }

  public struct Range: Sendable, Equatable, Codable {
    public var lower: Double
    public var upper: Double

    public init(_ lower: Double, _ upper: Double) {
      self.lower = lower
      self.upper = upper
    }
  }

  /// A bar from `left` to `right`, as high as `height`.
  public struct Bar: Sendable, Equatable, Codable {
    public var left: Double
    public var right: Double
    public var height: Double
    /// Where the height lies for certain; nil where that is not known.
    public var interval: Range?

    public init(_ left: Double, _ right: Double, height: Double, interval: Range?) {
      self.left = left
      self.right = right
      self.height = height
      self.interval = interval
    }
  }

  /// One thing that is drawn.
  public enum Layer: Sendable, Equatable, Codable {
    case line(name: String, x: [Double], y: [Double])
    case points(name: String, x: [Double], y: [Double])
    /// Between a lower and an upper curve.
    case band(name: String, x: [Double], lower: [Double], upper: [Double])
    case bars(name: String, [Bar])
    /// Places along the horizontal axis alone.
    case rug(name: String, x: [Double])
    /// Heights over a grid, `z[i]` for `y[i]`, one per `x`.
    case surface(name: String, x: [Double], y: [Double], z: [[Double]])
    /// Curves of equal height over a grid, at the levels.
    case contour(name: String, x: [Double], y: [Double], z: [[Double]], levels: [Double])

    public var name: String {
      switch self {
      case .line(let name, _, _), .points(let name, _, _), .band(let name, _, _, _),
        .bars(let name, _), .rug(let name, _), .surface(let name, _, _, _),
        .contour(let name, _, _, _, _):
        name
      }
    }
  }

  /// A place on an axis with a word to it.
  public struct Mark: Sendable, Equatable, Codable {
    public enum Direction: String, Sendable, Codable, CaseIterable {
      case horizontal
      case vertical
    }

    public var label: String
    public var value: Double
    /// Of the axis.
    public var axis: Direction

    public init(_ label: String, at value: Double, on axis: Direction = .horizontal) {
      self.label = label
      self.value = value
      self.axis = axis
    }
  }

  public let layers: [Layer]
  public let x: Axis
  public let y: Axis
  public let marks: [Mark]
  /// What to see in it.
  public let caption: String

  /// - Precondition: arrays that belong together are equally long, and what stands on a logarithmic axis
  ///   is above zero and finite.
  public init(_ layers: [Layer], x: Axis, y: Axis, marks: [Mark] = [], caption: String) {
    self.layers = layers
    self.x = x
    self.y = y
    self.marks = marks
    self.caption = caption
    if let fault { preconditionFailure(fault) }
  }

  /// - Throws: `DecodingError` for a figure that cannot be drawn, as ``init(_:x:y:marks:caption:)`` has it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    layers = try container.decode([Layer].self, forKey: .layers)
    x = try container.decode(Axis.self, forKey: .x)
    y = try container.decode(Axis.self, forKey: .y)
    marks = try container.decode([Mark].self, forKey: .marks)
    caption = try container.decode(String.self, forKey: .caption)
    if let fault {
      throw DecodingError.dataCorruptedError(
        forKey: .layers, in: container, debugDescription: fault)
    }
  }
}

extension Figure {
  /// Why it cannot be drawn; nil where it can.
  private var fault: String? {
    for layer in layers {
      guard layer.isConsistent else { return "the arrays of '\(layer.name)' are not equally long" }
    }
    for (axis, values) in [(x, across), (y, upwards)] where axis.scale == .logarithmic {
      guard values.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        return "a value on the logarithmic axis '\(axis.label)' is not above zero"
      }
    }
    return nil
  }

  /// All that is drawn along the horizontal axis.
  var across: [Double] {
    layers.flatMap(\.across) + marks.filter { $0.axis == .horizontal }.map(\.value)
      + (x.range.map { [$0.lower, $0.upper] } ?? [])
  }

  /// All that is drawn along the vertical axis. Bars may be of no height.
  var upwards: [Double] {
    layers.flatMap(\.upwards) + marks.filter { $0.axis == .vertical }.map(\.value)
      + (y.range.map { [$0.lower, $0.upper] } ?? [])
  }
}

extension Figure.Layer {
  fileprivate var isConsistent: Bool {
    switch self {
    case .line(_, let x, let y), .points(_, let x, let y): x.count == y.count
    case .band(_, let x, let lower, let upper): x.count == lower.count && x.count == upper.count
    case .bars, .rug: true
    case .surface(_, let x, let y, let z), .contour(_, let x, let y, let z, _):
      y.count == z.count && z.allSatisfy { $0.count == x.count }
    }
  }

  fileprivate var across: [Double] {
    switch self {
    case .line(_, let x, _), .points(_, let x, _), .band(_, let x, _, _), .rug(_, let x),
      .surface(_, let x, _, _), .contour(_, let x, _, _, _):
      x
    case .bars(_, let bars): bars.flatMap { [$0.left, $0.right] }
    }
  }

  fileprivate var upwards: [Double] {
    switch self {
    case .line(_, _, let y), .points(_, _, let y), .surface(_, _, let y, _),
      .contour(_, _, let y, _, _):
      y
    case .band(_, _, let lower, let upper): lower + upper
    case .bars(_, let bars): bars.map(\.height).filter { $0 != 0 }
    case .rug: []
    }
  }
}
