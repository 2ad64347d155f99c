import Curvature
import Diagnosis
import Foundation
import LinearMaps
import Training

/// A small random problem with random options, the same for the same number: what `diagnose` and
/// `spectrum` must answer or refuse in a sentence, however odd.
struct RandomCase {
  let index: Int
  let problem: DiagnosisProblem
  let request: DiagnosisRequest
  let spectrum: SpectrumRequest
  /// Whether ONNX Runtime runs it, of which sessions take long to open.
  let usesOnnx: Bool

  /// - Throws: what making the problem throws, which is a fault of the generator.
  init(_ index: Int) throws {
    self.index = index
    var random = SeededGenerator(seed: 0x5EED_F022 &+ UInt64(index))
    let l2 = Self.penalty(&random)
    problem =
      random.chance(0.65)
      ? DiagnosisProblem(RandomTable.problem(l2: l2, &random))
      : try RandomNetwork.problem(l2: l2, &random)
    request = Self.request(problem, &random)
    spectrum = Self.spectrum(problem, request, &random)
    usesOnnx = index % 12 == 0
  }

  private static func penalty(_ random: inout SeededGenerator) -> Double {
    random.chance(0.6) ? 0 : random.chance(0.6) ? random.decade(-6, 2) : random.decade(-300, 308)
  }

  private static func request(
    _ problem: DiagnosisProblem, _ random: inout SeededGenerator
  ) -> DiagnosisRequest {
    var request = DiagnosisRequest()
    let optimizer = random.pick(OptimizerCatalogue.all)
    request.training.rate =
      random.chance(0.3)
      ? nil : random.chance(0.5) ? random.decade(-6, 3) : random.decade(-300, 300)
    let values = [
      "momentum": random.pick([0, 0.5, 0.9, 0.9, 0.999_999, 1 - Double.ulpOfOne / 2, 1e-300]),
      "beta1": random.pick([0, 0.9, 0.9, 0.999_999, 1 - Double.ulpOfOne / 2]),
      "beta2": random.pick([0, 0.999, 0.999, 0.999_999_999, 1 - Double.ulpOfOne / 2]),
    ]
    request.training.optimizer = try! OptimizerSetting(
      optimizer.name,
      values.filter { value in optimizer.hyperparameters.contains { $0.name == value.key } })
    if request.training.rate != nil, random.chance(0.3) {
      request.training.steps = random.whole(1, 30)
    }
    request.resources.seed = random.whole(0, 1000)
    request.resources.precision = random.pick(PrecisionChoice.allCases)
    request.trials.tolerance =
      random.chance(0.7)
      ? 1e-6 : random.pick([0.999_999, 1e-2, 1e-12, 1e-300, .leastNonzeroMagnitude])
    request.trials.maxIterations = random.pick([1, 2, 10, 60])
    request.trials.areRun = random.chance(0.45)
    if random.chance(0.12) {
      request.resources.memory = random.pick([1, 3000, 10_000, 100_000, 1 << 60])
    }
    if random.chance(0.15) { request.resources.workLimit = random.decade(-300, 12) }
    return request
  }

  private static func spectrum(
    _ problem: DiagnosisProblem, _ request: DiagnosisRequest, _ random: inout SeededGenerator
  ) -> SpectrumRequest {
    var spectrum = SpectrumRequest(of: request)
    let n = problem.start.count
    spectrum.count = random.chance(0.5) ? nil : random.pick([1, 2, n, n + 1])
    spectrum.which = random.pick(SpectrumEnd.allCases)
    spectrum.kind = random.chance(0.5) ? .hessian : random.pick(CurvatureKind.allCases)
    spectrum.preconditioning =
      random.chance(0.5)
      ? .none
      : random.pick([
        .features, .diagonal, .adam(secondMoments: nil),
        .adam(secondMoments: (0..<n).map { _ in random.odd().magnitude }),
      ])
    spectrum.tolerance = random.chance(0.6) ? nil : random.pick([1e-300, 1e-10, 0.5])
    spectrum.densityError = random.chance(0.4) ? random.pick([0.02, 0.5, 1e-3]) : nil
    spectrum.trace = random.chance(0.4)
    spectrum.diagonal = random.chance(0.4)
    spectrum.perLayer = random.chance(0.3)
    spectrum.intervals = random.chance(0.3)
    return spectrum
  }

  /// Which case this is, for whoever has to mend it.
  var summary: String {
    "case \(index): \(problem.modelName ?? problem.name), \(problem.lossName ?? "own loss"), "
      + "\(request.training.optimizer.name) at \(request.training.rate.map { "\($0)" } ?? "no rate"), "
      + "l2 \(problem.l2), after \(request.training.steps), \(request.resources.precision?.rawValue ?? "")"
  }
}

extension SeededGenerator {
  mutating func chance(_ share: Double) -> Bool { uniform() < share }

  mutating func whole(_ low: Int, _ high: Int) -> Int { Int.random(in: low...high, using: &self) }

  mutating func pick<T>(_ items: [T]) -> T { items[whole(0, items.count - 1)] }

  /// `10^u` for a uniform `u`.
  mutating func decade(_ low: Double, _ high: Double) -> Double {
    pow(10, low + (high - low) * uniform())
  }

  /// A number of any size, now and then one at the edge of the arithmetic.
  mutating func odd() -> Double {
    if chance(0.6) { return normal() }
    if chance(0.6) { return normal() * decade(-30, 30) }
    if chance(0.6) { return normal() * decade(-300, 300) }
    return pick([
      0, 1, -1, .leastNonzeroMagnitude, .leastNormalMagnitude, -.leastNonzeroMagnitude,
      Double.greatestFiniteMagnitude, 1e154, -1e155, 1e-155, Double(Float.leastNonzeroMagnitude),
      Double(Float.greatestFiniteMagnitude),
    ])
  }
}
