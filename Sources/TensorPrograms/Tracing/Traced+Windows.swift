extension Traced {
  /// The convolution (a correlation) of this input `[N, C, spatial...]` with a kernel
  /// `[O, C / groups, window...]`, to `[N, O, out...]`; 1 to 3 spatial axes, strides of 1 and no padding
  /// by default.
  public func convolved(
    _ kernel: Traced, strides: [Int]? = nil, low: [Int]? = nil, high: [Int]? = nil,
    dilation: [Int]? = nil, groups: Int = 1
  ) -> Traced {
    let spatial = Swift.max(0, rank - 2)
    return emit(
      .convolution(
        Convolution(
          strides: strides ?? .init(repeating: 1, count: spatial), dilation: dilation, low: low,
          high: high, groups: groups)), kernel)
  }

  /// The transpose of `convolved` with these parameters, of inputs with `spatial` sizes: from
  /// `[N, O, out...]` and the same kernel to `[N, C, spatial...]`.
  public func convolutionTransposed(
    _ kernel: Traced, spatial: [Int], strides: [Int]? = nil, low: [Int]? = nil,
    high: [Int]? = nil, dilation: [Int]? = nil, groups: Int = 1
  ) -> Traced {
    emit(
      .convolution(
        Convolution(
          strides: strides ?? spatial.map { _ in 1 }, dilation: dilation, low: low, high: high,
          groups: groups, role: .input(spatial: spatial))), kernel)
  }

  /// The maximum of each window over the trailing axes, strides of 1 by default; padding never is the
  /// maximum. Where several entries are, the first has the derivative.
  public func windowMax(
    sizes: [Int], strides: [Int]? = nil, low: [Int]? = nil, high: [Int]? = nil,
    dilation: [Int]? = nil
  ) -> Traced {
    emit(
      .windowMax(
        Window(sizes: sizes, strides: strides, dilation: dilation, low: low, high: high)))
  }

  /// The sum over each window of the trailing axes, strides of 1 by default; padding counts as zero.
  public func windowSum(
    sizes: [Int], strides: [Int]? = nil, low: [Int]? = nil, high: [Int]? = nil,
    dilation: [Int]? = nil
  ) -> Traced {
    emit(
      .windowSum(
        Window(sizes: sizes, strides: strides, dilation: dilation, low: low, high: high)))
  }

  /// Sums of all entries up to each along an axis, or from each to the end where `reversed`.
  public func cumulativeSum(axis: Int, reversed: Bool = false) -> Traced {
    emit(.cumulativeSum(axis: axis, reversed: reversed))
  }

  /// The int64 index of the first maximum along an axis, which vanishes.
  public func argMax(axis: Int) -> Traced { emit(.argMax(axis: axis)) }

  /// The entries along an axis in order, and the int64 position of each before; equal ones stay in
  /// order.
  public func sorted(
    axis: Int, descending: Bool = false
  ) -> (values: Traced, positions: Traced) {
    let results = builder.emit(.sort(axis: axis, descending: descending), [self])
    // After a mismatch there is one placeholder only.
    return (results[0], results.last!)
  }
}
