import Curvature
import Foundation
import LinearMaps
import TensorPrograms

/// A one-hidden-layer network on random data, with its forward pass and output derivatives written out by
/// hand, so that curvature matrices can be added up from their definitions.
struct SmallNetwork {
  enum Loss: CaseIterable { case crossEntropy, logLoss, halfSquares, meanSquares }

  let loss: Loss
  let inputs = 3
  let hidden = 4
  let outputs = 3
  let samples: Int
  let x: [Double]
  /// Class indices, zeros and ones, or numbers.
  let targets: [Double]
  let point: [Double]
  var penalty = 0.0

  var parameterCount: Int { inputs * hidden + hidden + hidden * outputs + outputs }

  init(_ loss: Loss, samples: Int = 13, seed: UInt64 = 1, penalty: Double = 0) {
    var generator = SeededGenerator(seed: seed)
    self.loss = loss
    self.samples = samples
    self.penalty = penalty
    x = (0..<samples * 3).map { _ in generator.nextNormal() }
    targets =
      switch loss {
      case .crossEntropy: (0..<samples).map { _ in Double(generator.next() % 3) }
      case .logLoss: (0..<samples * 3).map { _ in Double(generator.next() % 2) }
      case .halfSquares, .meanSquares: (0..<samples * 3).map { _ in generator.nextNormal() }
      }
    point = (0..<31).map { _ in 0.7 * generator.nextNormal() }
  }

  // MARK: As a tensor program

  var distribution: OutputDistribution {
    switch loss {
    case .crossEntropy: OutputDistribution(.categorical)
    case .logLoss: OutputDistribution(.bernoulli, scale: 1.0 / 3)
    case .halfSquares: OutputDistribution(.gaussian)
    case .meanSquares: OutputDistribution(.gaussian, scale: 2.0 / 3)
    }
  }

  var definition: LossDefinition {
    let (loss, penalty) = (loss, penalty)
    let squares: @Sendable ([Traced]) -> Traced = { p in
      (p[0].square().sum() + p[2].square().sum()) * (penalty / 2)
    }
    return LossDefinition(
      parameters: [
        .init("hidden.weight", [inputs, hidden]), .init("hidden.bias", [hidden], isBias: true),
        .init("output.weight", [hidden, outputs]), .init("output.bias", [outputs], isBias: true),
      ],
      model: { p, data in (data[0].matmul(p[0]) + p[1]).tanh().matmul(p[2]) + p[3] },
      loss: { f, data in Self.mean(loss, f, data[1]) },
      penalty: penalty == 0 ? nil : squares, distribution: distribution)
  }

  static func mean(_ loss: Loss, _ f: Traced, _ y: Traced) -> Traced {
    switch loss {
    case .crossEntropy:
      let picked = f.gather(y.expanded(at: 1), axis: 1, batch: 1)
      return (f.logSumExp(axis: 1) - picked.reshaped([f.shape[0]])).mean()
    case .logLoss: return (f.softplus() - y * f).mean()
    case .halfSquares: return (f - y).square().sum() * (0.5 / Double(f.shape[0]))
    case .meanSquares: return (f - y).square().mean()
    }
  }

  var data: [Tensor] {
    let features = Tensor(x, shape: [samples, inputs])
    return loss == .crossEntropy
      ? [features, Tensor(targets.map { Int32($0) }, shape: [samples])]
      : [features, Tensor(targets, shape: [samples, outputs])]
  }

  func objective(maxBatchSize: Int? = nil) throws -> Objective<Double> {
    try Objective(
      definition, data: data, executor: ReferenceExecutor(), maxBatchSize: maxBatchSize)
  }

  // MARK: By hand

  /// The outputs of a sample and their derivatives by every parameter, `jacobian[k][parameter]`.
  func outputs(_ sample: Int) -> (values: [Double], jacobian: [[Double]]) {
    let (d, h, k) = (inputs, hidden, outputs)
    let features = (0..<d).map { x[sample * d + $0] }
    let (b1, w2, b2) = (d * h, d * h + h, d * h + h + h * k)
    let activations = (0..<h).map { j in
      tanh((0..<d).reduce(point[b1 + j]) { $0 + features[$1] * point[$1 * h + j] })
    }
    let values = (0..<k).map { o in
      (0..<h).reduce(point[b2 + o]) { $0 + activations[$1] * point[w2 + $1 * k + o] }
    }
    let jacobian = (0..<k).map { o -> [Double] in
      var row = [Double](repeating: 0, count: parameterCount)
      for j in 0..<h {
        let slope = point[w2 + j * k + o] * (1 - activations[j] * activations[j])
        for i in 0..<d { row[i * h + j] = slope * features[i] }
        row[b1 + j] = slope
        row[w2 + j * k + o] = activations[j]
      }
      row[b2 + o] = 1
      return row
    }
    return (values, jacobian)
  }

  /// `-log p(y | f)` differentiated by `f`, for one sample, of the likelihood without its scale.
  func score(_ f: [Double], _ y: [Double]) -> [Double] {
    switch loss {
    case .crossEntropy:
      let p = softmax(f)
      return f.indices.map { p[$0] - (Double($0) == y[0] ? 1 : 0) }
    case .logLoss: return zip(f, y).map { 1 / (1 + exp(-$0)) - $1 }
    case .halfSquares, .meanSquares: return zip(f, y).map { $0 - $1 }
    }
  }

  func target(_ sample: Int) -> [Double] {
    let width = loss == .crossEntropy ? 1 : outputs
    return Array(targets[sample * width..<(sample + 1) * width])
  }

  /// `scale/n sum_i E[g g']` by summing over every possible target where there are finitely many.
  var fisher: [Double] {
    var total = [Double](repeating: 0, count: parameterCount * parameterCount)
    for sample in 0..<samples {
      let (f, jacobian) = outputs(sample)
      func add(_ y: [Double], probability: Double) {
        addOuter(
          combination(jacobian, score(f, y)), distribution.scale / Double(samples) * probability,
          &total)
      }
      switch loss {
      case .crossEntropy:
        for (label, p) in softmax(f).enumerated() { add([Double(label)], probability: p) }
      case .logLoss:
        for code in 0..<8 {
          let y = (0..<3).map { Double(code >> $0 & 1) }
          let p = zip(f, y).reduce(1) { $0 / (1 + exp($1.1 == 1 ? -$1.0 : $1.0)) }
          add(y, probability: p)
        }
      case .halfSquares, .meanSquares:
        // Two-point targets f -+ 1 per output have a Gaussian's first two moments.
        for code in 0..<8 {
          add(f.indices.map { f[$0] + (code >> $0 & 1 == 1 ? 1 : -1) }, probability: 1.0 / 8)
        }
      }
    }
    return total
  }

  /// `1/n sum_i g_i g_i'` at the true targets, of the loss with its scale.
  var empiricalFisher: [Double] {
    var total = [Double](repeating: 0, count: parameterCount * parameterCount)
    for sample in 0..<samples {
      let (f, jacobian) = outputs(sample)
      let gradient = combination(jacobian, score(f, target(sample))).map { $0 * distribution.scale }
      addOuter(gradient, 1 / Double(samples), &total)
    }
    return total
  }

  private func combination(_ rows: [[Double]], _ weights: [Double]) -> [Double] {
    (0..<parameterCount).map { p in rows.indices.reduce(0) { $0 + weights[$1] * rows[$1][p] } }
  }
}

func softmax(_ f: [Double]) -> [Double] {
  let powers = f.map { exp($0) }
  return powers.map { $0 / powers.reduce(0, +) }
}

func addOuter(_ g: [Double], _ weight: Double, _ matrix: inout [Double]) {
  for i in g.indices { for j in g.indices { matrix[i * g.count + j] += weight * g[i] * g[j] } }
}

/// The columns of a map, by its products with the unit vectors one by one.
func columns<Map: LinearMap<Double>>(_ map: Map) throws -> [Double] {
  try (0..<map.dimension).flatMap { index in
    try map((0..<map.dimension).map { $0 == index ? 1 : 0 })
  }
}

/// The columns by one block product.
func blockColumns<Map: LinearMap<Double>>(_ map: Map) throws -> [Double] {
  let n = map.dimension
  let units = (0..<n * n).map { $0 / n == $0 % n ? 1.0 : 0 }
  var product = units
  try product.withUnsafeMutableBufferPointer {
    try map.apply(columns: n, units, into: $0.baseAddress!)
  }
  return product
}

/// The largest difference of two arrays of equal length, relative to the second's largest entry.
func relativeDistance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = b.reduce(0) { max($0, abs($1)) }
  return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / max(scale, .leastNormalMagnitude)
}

func submatrix(_ matrix: [Double], _ rows: [Int], of n: Int) -> [Double] {
  rows.flatMap { column in rows.map { matrix[column * n + $0] } }
}
