import Curvature
import Diagnosis
import LinearMaps

/// Random small tables whose columns and targets are what real ones should not be.
enum RandomTable {
  static func problem(l2: Double, _ random: inout SeededGenerator) -> TabularProblem {
    let (rows, columns) = (random.whole(2, 20), random.whole(1, 4))
    var table: [[Double]] = []
    for _ in 0..<columns { table.append(column(rows, beside: table, &random)) }
    let target = target(table, &random)
    let isClasses = if case .classes = target { true } else { false }
    let model = model(isClasses: isClasses, &random)
    return TabularProblem(
      name: "t.csv", targetName: "y",
      features: (0..<rows).flatMap { row in table.map { $0[row] } },
      featureNames: (0..<columns).map { "x\($0)" }, target: target, model: model,
      loss: isClasses
        ? .crossEntropy : random.pick([ModelLoss.halfSquaredError, .meanSquaredError]), l2: l2,
      seed: random.whole(0, 1000))
  }

  private enum Kind: CaseIterable {
    case ordinary, scaled, offset, constant, zero, duplicate, nearDuplicate, huge, tiny, denormal
    case outlier, integers, odd
  }

  private static func column(
    _ rows: Int, beside others: [[Double]], _ random: inout SeededGenerator
  ) -> [Double] {
    func numbers(_ make: () -> Double) -> [Double] { (0..<rows).map { _ in make() } }
    let scale: Double
    // Half of all columns are ordinary, or no table would come as far as training.
    switch random.chance(0.5) ? .ordinary : random.pick(Kind.allCases) {
    case .ordinary: return numbers { random.normal() }
    case .scaled:
      scale = random.decade(-8, 8)
      return numbers { scale * random.normal() }
    case .offset:
      scale = random.decade(0, 15)
      return numbers { scale + random.normal() }
    case .constant:
      scale = random.odd()
      return numbers { scale }
    case .zero: return numbers { 0 }
    case .duplicate: return others.last ?? numbers { 1 }
    case .nearDuplicate:
      scale = random.decade(-16, -1)
      return (others.last ?? numbers { 1 }).map { $0 * (1 + scale * random.normal()) }
    case .huge:
      scale = random.decade(10, 307)
      return numbers { scale * random.uniform() }
    case .tiny:
      scale = random.decade(-320, -10)
      return numbers { scale * random.normal() }
    case .denormal: return numbers { random.normal() * (.leastNormalMagnitude / 100) }
    case .outlier:
      var values = numbers { random.normal() }
      values[0] = random.decade(2, 200)
      return values
    case .integers: return numbers { Double(random.whole(-3, 1000)) }
    case .odd: return numbers { random.odd() }
    }
  }

  private static func target(
    _ table: [[Double]], _ random: inout SeededGenerator
  ) -> TabularProblem.Target {
    let rows = table[0].count
    let indices = Array(0..<rows)
    switch random.whole(0, 9) {
    case 0...2:
      let classes = random.whole(2, min(4, rows))
      return .classes(indices.map { Int32($0 % classes) }, count: classes)
    case 3:
      // Told apart by the first column.
      let order = indices.sorted { table[0][$0] < table[0][$1] }
      var labels = [Int32](repeating: 0, count: rows)
      for index in order.suffix(rows / 2) { labels[index] = 1 }
      return .classes(labels, count: 2)
    case 4: return .numeric(indices.map { _ in 0 })
    case 5:
      let value = random.odd()
      return .numeric(indices.map { _ in value })
    case 6:
      let scale = random.decade(-320, 300)
      return .numeric(indices.map { _ in scale * random.normal() })
    default:
      let noise = random.chance(0.5) ? 0 : random.decade(-12, 1)
      return .numeric(
        indices.map { row in
          let sum = table.reduce(0.5) { $0 + $1[row] }
          return (sum.isFinite ? sum : 1) + noise * random.normal()
        })
    }
  }

  private static func model(
    isClasses: Bool, _ random: inout SeededGenerator
  ) -> ModelChoice {
    if random.chance(0.55) { return isClasses ? .softmax : .linear }
    return .mlp(
      hidden: (0..<random.whole(1, 2)).map { _ in random.whole(1, 4) },
      activation: random.pick(ModelChoice.Activation.allCases))
  }
}
