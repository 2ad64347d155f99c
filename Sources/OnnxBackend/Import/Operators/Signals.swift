import Foundation
import TensorPrograms

extension OperatorCatalogue {
  /// Fourier transforms as products with a matrix, and the constants of audio front ends.
  static let signals: [OperatorRule] = [
    OperatorRule("DFT", constants: [1, 2]) { node in
      let x = try node.input(0)
      let given =
        try node.operatorSet < 20
        ? node.int("axis", 1) : node.optionalIntegers(2).map { $0.first ?? -2 } ?? -2
      let axis = try node.axis(given, rank: x.rank)
      guard x.element.isFloating, axis < x.rank - 1, (1...2).contains(x.shape[x.rank - 1]) else {
        throw node.fail(
          "a signal of shape \(x.shape) has no axis \(given) of numbers with one or two parts")
      }
      var transform = FourierMatrix(
        length: x.shape[axis], parts: x.shape[x.rank - 1], isInverse: node.flag("inverse"),
        isOneSided: node.flag("onesided"))
      if let length = try node.optionalNumber(1) {
        guard length >= 1, length < 0x1p31 else {
          throw node.fail("a length of \(length) is not one")
        }
        transform.length = Int(length)
      }
      return [try transform.apply(to: x, axis: axis, node)]
    },
    OperatorRule("STFT", constants: [1, 2, 3]) { node in
      let given = try node.input(0)
      let x = given.rank == 2 ? given.expanded(at: 2) : given
      guard x.element.isFloating, x.rank == 3, (1...2).contains(x.shape[2]) else {
        throw node.fail(
          "a signal of shape \(given.shape) is not one of a batch, samples and one or two parts")
      }
      let (window, samples) = (node.optionalInput(2), x.shape[1])
      let size = Double(window.map { $0.shape.count } ?? samples)
      let (length, step) = (try node.optionalNumber(3) ?? size, try node.number(1))
      guard length >= 1, length <= Double(samples), step >= 1, step < 0x1p31 else {
        throw node.fail(
          "frames of \(length) samples every \(step) do not fit a signal of \(samples)")
      }
      guard window.map({ $0.shape == [Int(length)] && $0.element == x.element }) ?? true else {
        throw node.fail("its window has not one number for each of \(length) samples")
      }
      let (width, hop) = (Int(length), Int(step))
      let count = (samples - width) / hop + 1
      guard try node.shape([count, width]).count <= 4 * node.foldingLimit else {
        throw node.fail("\(count) frames of \(width) samples are more than can be imported")
      }
      let places = (0..<count).flatMap { frame in
        (0..<width).map { Int64(frame * hop + $0) }
      }
      let indices = node.builder.constant(Tensor(places, shape: [count, width]))
      var frames = x.gather(indices, axis: 1)
      if let window { frames = frames * window.broadcast(to: frames.shape, axes: [2]) }
      let transform = FourierMatrix(
        length: width, parts: x.shape[2], isInverse: false, isOneSided: node.flag("onesided", true))
      return [try transform.apply(to: frames, axis: 2, node)]
    },
    OperatorRule("MelWeightMatrix", constants: OperatorRule.everyInput) { node in
      [try node.melWeights()]
    },
    window("HannWindow", [0.5, 0.5]), window("HammingWindow", [25.0 / 46, 21.0 / 46]),
    window("BlackmanWindow", [0.42, 0.5, 0.08]),
  ]

  /// The window `a_0 - a_1 cos(2 pi n / N) + a_2 cos(4 pi n / N)`.
  private static func window(_ name: String, _ terms: [Double]) -> OperatorRule {
    OperatorRule(name, constants: OperatorRule.everyInput) { node in
      let size = try node.number(0)
      guard size >= 0, size <= Double(node.foldingLimit) else {
        throw node.fail("there is no window of \(size) samples")
      }
      // One sample that is not periodic is the window's middle.
      let period = max(1, node.flag("periodic", true) ? size : size - 1)
      var values = [Double](repeating: 0, count: Int(size))
      for place in values.indices {
        for (order, term) in terms.enumerated() {
          let angle = 2 * Double.pi * Double(order * place) / period
          values[place] += (order % 2 == 0 ? term : -term) * cos(angle)
        }
      }
      let element = try node.element(node.int("output_datatype", 1))
      return [node.builder.constant(Tensor(values, type: TensorType(element, [values.count])))]
    }
  }
}

/// The discrete Fourier transform of one axis, `X_k = sum_n x_n exp(-2 pi i k n / N)`, or its inverse, as
/// a linear map of real and imaginary parts.
///
/// Reference: onnx/docs/Operators.md, DFT.
private struct FourierMatrix {
  var length: Int
  let parts: Int
  let isInverse: Bool
  let isOneSided: Bool

  /// - Parameter length: entries along the axis that it is applied to.
  init(length: Int, parts: Int, isInverse: Bool, isOneSided: Bool) {
    // The inverse of one side gives an even length unless it is told another.
    self.length = isInverse && isOneSided ? 2 * (length - 1) : length
    self.parts = parts
    self.isInverse = isInverse
    self.isOneSided = isOneSided
  }

  /// Whether one side of a spectrum becomes a real signal.
  private var isReal: Bool { isInverse && isOneSided }

  func apply(to x: Traced, axis: Int, _ node: NodeContext) throws -> Traced {
    guard !isOneSided || isInverse || parts == 1 else {
      throw node.fail("a complex signal has no one-sided spectrum")
    }
    let (half, resultParts) = (length / 2 + 1, isReal ? 1 : 2)
    let rows = min(x.shape[axis], isReal ? half : length)
    let columns = isOneSided && !isInverse ? half : length
    guard length >= 1, rows >= 1,
      try node.shape([rows, parts, columns, resultParts]).count <= 4 * node.foldingLimit
    else {
      throw node.fail(
        "a Fourier transform of \(length) entries is not one that can be imported as a matrix")
    }
    var numbers: [Double] = []
    numbers.reserveCapacity(rows * parts * columns * resultParts)
    for row in 0..<rows {
      for part in 0..<parts {
        for column in 0..<columns {
          let value = entry(row, part, column)
          numbers.append(value.real)
          if !isReal { numbers.append(value.imaginary) }
        }
      }
    }
    let matrix = node.builder.constant(
      Tensor(numbers, type: TensorType(x.element, [rows, parts, columns, resultParts])))
    let used = rows < x.shape[axis] ? x.slice(axis: axis, 0..<rows) : x
    let result = used.dot(matrix, DotDimensions(contracting: [axis, x.rank - 1], [0, 1]))
    // The axis was taken out and its transform put last but one.
    var order = Array(0..<(x.rank - 2))
    order.insert(x.rank - 2, at: axis)
    return result.transposed(order + [x.rank - 1])
  }

  private func entry(_ row: Int, _ part: Int, _ column: Int) -> (real: Double, imaginary: Double) {
    // Reduced in integers, so that the angle is as exact for the last entry as for the first.
    let turn = row.multipliedReportingOverflow(by: column).partialValue % length
    let angle = 2 * Double.pi * Double(turn) / Double(length)
    var scale = isInverse ? 1 / Double(length) : 1
    if isReal, row > 0, 2 * row != length { scale *= 2 }
    let sign: Double = isInverse ? 1 : -1
    let (c, s) = (scale * cos(angle), sign * scale * sin(angle))
    return part == 0 ? (c, s) : (-s, c)
  }
}

extension NodeContext {
  /// Triangles with peak 1 whose corners are evenly spaced on the mel scale,
  /// `2595 log10(1 + f / 700)`.
  ///
  /// Reference: onnx/docs/Operators.md, MelWeightMatrix, and its reference implementation.
  fileprivate func melWeights() throws -> Traced {
    let numbers = try (0..<5).map(number)
    let (length, rate, low, high) = (numbers[1], numbers[2], numbers[3], numbers[4])
    guard numbers.allSatisfy(\.isFinite), numbers[0] >= 1, length >= 1, rate > 0, low >= 0,
      high >= low, high <= rate, numbers[0] * (length / 2 + 1) <= Double(foldingLimit)
    else { throw fail("there are no mel weights of the numbers \(numbers)") }
    let (bands, bins) = (Int(numbers[0]), Int(length) / 2 + 1)
    func mel(_ frequency: Double) -> Double { 2595 * log1p(frequency / 700) / log(10) }
    let step = (mel(high) - mel(low)) / Double(bands + 2)
    let corners = (0..<(bands + 2)).map { place -> Int in
      let frequency = 700 * expm1((mel(low) + Double(place) * step) / 2595 * log(10))
      return Int(((length + 1) * frequency / rate).rounded(.down))
    }
    var weights = [Double](repeating: 0, count: bins * bands)
    func put(_ value: Double, _ bin: Int, _ band: Int) {
      if (0..<bins).contains(bin) { weights[bin * bands + band] = value }
    }
    for band in 0..<bands {
      let (left, peak, right) = (corners[band], corners[band + 1], corners[band + 2])
      for bin in left..<peak { put(Double(bin - left) / Double(peak - left), bin, band) }
      put(1, peak, band)
      for bin in peak..<right { put(Double(right - bin) / Double(right - peak), bin, band) }
    }
    let element = try element(int("output_datatype", 1))
    return builder.constant(Tensor(weights, type: TensorType(element, [bins, bands])))
  }
}
