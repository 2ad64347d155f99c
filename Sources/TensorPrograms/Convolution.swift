/// One of the three bilinear maps of the form `sum c * conv(x, w)`, in which `x` is the input
/// `[N, C, spatial...]`, `w` the kernel `[O, C / groups, window...]` and `c` of the output's shape
/// `[N, O, out...]`.
///
/// The derivative of each in one operand is another of them, so that the set is closed under every
/// transform: the gradient of a convolution is `input` and `kernel`, and so on at any order.
public struct Convolution: Hashable, Sendable {
  public enum Role: Hashable, Sendable {
    /// `(x, w) -> c`: the convolution, as networks define it: a correlation.
    case output
    /// `(c, w) -> x`, for inputs of the given sizes: the transposed convolution.
    case input(spatial: [Int])
    /// `(x, c) -> w`, for kernels of the given window.
    case kernel(window: [Int])
  }

  public var strides: [Int]
  /// The distance between taps of the window.
  public var dilation: [Int]
  /// Zeros put before and after each spatial axis.
  public var low: [Int]
  public var high: [Int]
  public var groups: Int
  public var role: Role

  public init(
    strides: [Int], dilation: [Int]? = nil, low: [Int]? = nil, high: [Int]? = nil,
    groups: Int = 1, role: Role = .output
  ) {
    let zeros = strides.map { _ in 0 }
    self.strides = strides
    self.dilation = dilation ?? strides.map { _ in 1 }
    self.low = low ?? zeros
    self.high = high ?? zeros
    self.groups = groups
    self.role = role
  }

  public var spatialRank: Int { strides.count }

  /// The window as it slides over one spatial axis after the other.
  package func window(_ sizes: [Int]) -> Window {
    Window(sizes: sizes, strides: strides, dilation: dilation, low: low, high: high)
  }

  func with(_ role: Role, groups: Int? = nil) -> Primitive {
    var copy = self
    copy.role = role
    copy.groups = groups ?? self.groups
    return .convolution(copy)
  }

  /// What the type rule finds wrong with the parameters themselves.
  var fault: String? {
    let lists = [dilation, low, high]
    if !(1...3).contains(spatialRank) || lists.contains(where: { $0.count != spatialRank }) {
      return "it needs one stride, dilation and padding for each of 1 to 3 spatial axes"
    }
    if groups < 1 { return "it needs at least one group" }
    return window([Int](repeating: 1, count: spatialRank)).fault
  }
}

/// A window that slides over the trailing axes of a tensor.
public struct Window: Hashable, Sendable {
  public var sizes: [Int]
  public var strides: [Int]
  /// The distance between taps.
  public var dilation: [Int]
  /// Neutral elements put before and after each axis.
  public var low: [Int]
  public var high: [Int]

  public init(
    sizes: [Int], strides: [Int]? = nil, dilation: [Int]? = nil, low: [Int]? = nil,
    high: [Int]? = nil
  ) {
    let (ones, zeros) = (sizes.map { _ in 1 }, sizes.map { _ in 0 })
    self.sizes = sizes
    self.strides = strides ?? ones
    self.dilation = dilation ?? ones
    self.low = low ?? zeros
    self.high = high ?? zeros
  }

  /// Entries from the first tap to the last, on each axis.
  package var extents: [Int] { zip(sizes, dilation).map { ($0 - 1) * $1 + 1 } }

  /// How many places the window takes along axes of these sizes; negative where it does not fit once.
  package func positions(_ spatial: [Int]) -> [Int] {
    spatial.indices.map { axis in
      let room = spatial[axis] + low[axis] + high[axis] - extents[axis]
      return room < 0 ? 0 : room / strides[axis] + 1
    }
  }

  var fault: String? {
    let lists = [strides, dilation, low, high]
    if sizes.isEmpty || lists.contains(where: { $0.count != sizes.count }) {
      return "it needs one size, stride, dilation and padding for each axis"
    }
    if (sizes + strides + dilation).contains(where: { $0 < 1 }) {
      return "sizes, strides and dilation start at 1"
    }
    return (low + high).contains { $0 < 0 } ? "padding is not negative" : nil
  }

  /// Every tap of the window, the last axis fastest.
  var taps: [[Int]] {
    sizes.reduce([[]]) { taps, size in taps.flatMap { tap in (0..<size).map { tap + [$0] } } }
  }

  /// The padding of a cotangent of the output which has `spread` what the window's sum spread: sums of
  /// that with stride 1 are the cotangent of an operand of size `spatial`.
  package func transposedPadding(spatial: [Int]) -> (low: [Int], high: [Int], interior: [Int]) {
    let positions = positions(spatial)
    let before = zip(extents, low).map { $0 - 1 - $1 }
    let after = spatial.indices.map { axis in
      spatial[axis] + extents[axis] - 1 - before[axis]
        - ((positions[axis] - 1) * strides[axis] + 1)
    }
    return (before, after, strides.map { $0 - 1 })
  }
}
