import Foundation

@testable import Diagnosis

/// Tables for the engine: made up from a seed, or wine.
enum TestTable {
  /// Normal features of these standard deviations and means, and a target that they explain but for
  /// noise of this deviation.
  static func linear(
    _ samples: Int, scales: [Double], means: [Double]? = nil, noise: Double = 0.1, seed: UInt64
  ) -> TabularProblem {
    var generator = SeededGenerator(seed: seed)
    let means = means ?? scales.map { _ in 0 }
    var features: [Double] = []
    var target: [Double] = []
    for _ in 0..<samples {
      var sum = 0.5
      for (index, scale) in scales.enumerated() {
        let normal = generator.normal()
        features.append(means[index] + scale * normal)
        sum += normal * (index % 2 == 0 ? 1 : -0.5)
      }
      target.append(sum + noise * generator.normal())
    }
    return problem(features, columns: scales.count, target: .numeric(target), model: .linear)
  }

  /// Overlapping normal clouds, one per class.
  static func classes(
    _ samples: Int, features: Int, count: Int, spread: Double = 1.5, seed: UInt64,
    model: ModelChoice = .softmax, l2: Double = 0
  ) -> TabularProblem {
    var generator = SeededGenerator(seed: seed)
    let centres = (0..<count).map { _ in (0..<features).map { _ in generator.normal() } }
    var values: [Double] = []
    var labels: [Int32] = []
    for sample in 0..<samples {
      let label = sample % count
      labels.append(Int32(label))
      values += centres[label].map { $0 + spread * generator.normal() }
    }
    return problem(
      values, columns: features, target: .classes(labels, count: count), model: model, l2: l2)
  }

  /// The bundled wine table; its classes as indices from 0, or as numbers.
  static func wine(
    _ model: ModelChoice, standardised: Bool, numeric: Bool = false, l2: Double = 0
  ) throws -> TabularProblem {
    let url = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Examples/wine.csv")
    let lines = try String(contentsOf: url, encoding: .utf8).split(whereSeparator: \.isNewline)
    let names = lines[0].split(separator: ",").dropLast().map(String.init)
    let rows = lines.dropFirst().map { $0.split(separator: ",").map { Double($0)! } }
    var features = rows.flatMap { $0.dropLast() }
    if standardised { features = self.standardised(features, columns: names.count) }
    let classes = rows.map { $0[names.count] - 1 }
    return problem(
      features, columns: names.count,
      target: numeric ? .numeric(classes) : .classes(classes.map { Int32($0) }, count: 3),
      model: model, l2: l2, names: names)
  }

  static func problem(
    _ features: [Double], columns: Int, target: TabularProblem.Target, model: ModelChoice,
    l2: Double = 0, names: [String]? = nil
  ) -> TabularProblem {
    let isClasses = if case .classes = target { true } else { false }
    return TabularProblem(
      name: "test.csv", targetName: "y", features: features,
      featureNames: names ?? (0..<columns).map { "x\($0)" }, target: target, model: model,
      loss: isClasses ? .crossEntropy : .halfSquaredError, l2: l2)
  }

  /// `(x - mean) / population standard deviation`, column by column.
  static func standardised(_ features: [Double], columns: Int) -> [Double] {
    let rows = features.count / columns
    var result = features
    for column in 0..<columns {
      let values = (0..<rows).map { features[$0 * columns + column] }
      let mean = values.reduce(0, +) / Double(rows)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(rows)
      for row in 0..<rows {
        result[row * columns + column] = (values[row] - mean) / variance.squareRoot()
      }
    }
    return result
  }
}

extension SeededGenerator {
  mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

  /// A standard normal number, by Box and Muller.
  mutating func normal() -> Double {
    (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform())
  }
}

extension DiagnosisRequest {
  /// A request whose table is at hand already.
  static func test(_ change: (inout DiagnosisRequest) -> Void = { _ in }) -> DiagnosisRequest {
    var request = DiagnosisRequest(file: "test.csv", target: "y")
    change(&request)
    return request
  }
}

extension DiagnosisReport {
  func prescription(_ kind: Prescription.Kind) -> Prescription? {
    prescriptions.first { $0.id == kind.rawValue }
  }

  func finding(_ id: String) -> Finding? { findings.first { $0.id == id } }
}
