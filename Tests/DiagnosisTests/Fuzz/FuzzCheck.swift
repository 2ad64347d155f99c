import Diagnosis
import Foundation
import LinearMaps
import OnnxBackend
import Presentation
import Reports
import Synchronization
import TensorPrograms

/// What is wrong with the answers to a random case, in sentences; nothing, if all is well.
struct FuzzCheck {
  let random: RandomCase
  private(set) var faults: [String] = []
  /// How often an answer asked whether it was cancelled: once per product and per step of a trial.
  private(set) var work = 0
  private(set) var refusals = 0

  /// More than any of these small problems has a use for.
  static let workLimit = 300_000

  init(_ random: RandomCase, executors: (reference: any Executor, onnx: any Executor)) {
    self.random = random
    let executor = random.usesOnnx ? executors.onnx : executors.reference
    answer("diagnose") { isCancelled in
      let report = try diagnose(
        random.problem, request: random.request, executor: executor,
        context: RunContext(isCancelled: isCancelled))
      return (report, report.terminalText(Self.style), report.contradictions)
    }
    answer("spectrum") { isCancelled in
      let report = try measureSpectrum(
        of: random.problem, request: random.spectrum, executor: executor,
        context: RunContext(isCancelled: isCancelled)
      ).report
      return (report, report.terminalText(Self.style), report.contradictions)
    }
  }

  private static var style: TerminalStyle { TerminalStyle(colours: false) }

  /// Gives the answer a work limit, and looks at it.
  private mutating func answer(
    _ command: String,
    _ make: (@escaping @Sendable () -> Bool) throws -> (some Encodable, String, [String])
  ) {
    let count = Counter()
    do {
      let (report, text, contradictions) = try make { count.next() > Self.workLimit }
      faults += contradictions.map { "\(command): \($0)" }
      // Foundation's encoder refuses NaN and infinities.
      _ = try JSONEncoder().encode(report)
      if text.isEmpty { faults.append("\(command): nothing to read") }
    } catch let failure as DiagnosisFailure {
      refusals += 1
      let text = failure.description
      if failure.kind == .software || text.contains("\n") || !text.hasSuffix(".") {
        faults.append("\(command): \(failure.kind): \(text)")
      }
    } catch {
      faults.append("\(command): not in a sentence of ours: \(error)")
    }
    work += count.value
    if count.value > Self.workLimit { faults.append("\(command): too much work") }
  }

  private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .relaxed) }
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
  }
}

extension DiagnosisReport {
  /// Statements of this report that cannot hold together.
  fileprivate var contradictions: [String] {
    var faults: [String] = []
    func expect(_ holds: Bool, _ fault: @autoclosure () -> String) {
      if !holds { faults.append(fault()) }
    }
    func has(_ id: String) -> Bool { findings.contains { $0.id == id } }
    for finding in findings where finding.id != "non-finite" {
      for word in ["infinity", "not a number"] where finding.sentence.contains(word) {
        faults.append("\(finding.id) says: \(finding.sentence)")
      }
    }
    let (given, limit) = (learningRate.given, learningRate.stabilityLimit)
    expect(limit.map { $0 > 0 } ?? true, "a limit of \(limit ?? 0)")
    switch learningRate.verdict {
    case .unstable, .unstableHereSettles:
      expect(limit.map { $0 <= given! } ?? false, "unstable at \(given!) below \(limit ?? 0)")
      expect(has("rate-above-limit"), "unstable without a finding")
    case .slow, .stable, .oscillating:
      expect(limit.map { $0 > given! } ?? false, "stable at \(given!), above \(limit ?? 0)")
      expect(!has("rate-above-limit"), "stable and above the limit")
    case .stableHereDiverged:
      expect(has("rate-diverged") && !has("rate-above-limit"), "diverged without a finding")
    case .unstableInBatches:
      expect(has("batch-above-limit") && !has("rate-above-limit"), "bursts without a finding")
    case .noStableRate: expect(curvature.indefinite, "no stable rate on a convex loss")
    case nil: expect(!has("rate-above-limit"), "above a limit that is not known")
    }
    if let largest = curvature.largest.value, let bound = curvature.largest.upperBound,
      let smallest = curvature.smallest.value
    {
      expect(largest <= bound, "the largest, \(largest), is above its bound \(bound)")
      expect(smallest <= largest, "the smallest, \(smallest), is above the largest, \(largest)")
      expect(curvature.largest.residual! >= 0 && curvature.smallest.residual! >= 0, "residuals")
    } else {
      expect(has("non-finite"), "no curvature and no reason")
      expect(prescriptions.isEmpty && learningRate.verdict == nil, "advice on what is not finite")
    }
    for number in [curvature.conditionNumber, curvature.effectiveConditionNumber] {
      expect(number.map { $0 >= 1 - 1e-9 } ?? true, "a condition number of \(number ?? 0)")
    }
    expect(
      !(curvature.indefinite && curvature.conditionNumber != nil), "indefinite and conditioned")
    expect(!(has("well-conditioned") && has("ill-conditioned")), "well and ill conditioned")
    expect(!(has("no-finite-minimum") && problem.l2 > 0), "a penalty without a minimum")
    for item in prescriptions {
      if let rate = item.predicted.rate {
        expect(rate > 0 && rate.isFinite, "\(item.id) at \(rate)")
      }
      expect(item.predicted.iterations.map { $0 >= 0 } ?? true, "\(item.id): negative steps")
      guard let measured = item.measured else { continue }
      expect((measured.iterations != nil) == measured.reached, "\(item.id): reached, but when?")
      expect(!(measured.reached && measured.diverged), "\(item.id): reached and diverged")
      expect((measured.gradientEquivalents ?? 0) >= 0, "\(item.id): negative work")
    }
    return faults
  }
}

extension SpectrumReport {
  fileprivate var contradictions: [String] {
    var faults: [String] = []
    func expect(_ holds: Bool, _ fault: @autoclosure () -> String) {
      if !holds { faults.append(fault()) }
    }
    for line in advice + [convergence?.advice ?? ""] {
      for word in ["infinity", " inf", "nan"] where line.contains(word) {
        faults.append("advice: \(line)")
      }
    }
    if let top = largest.first?.value, let bound = upperBound {
      expect(top <= bound, "the largest, \(top), is above its bound \(bound)")
    }
    if let low = smallest.first?.value, let bound = lowerBound {
      expect(low >= bound, "the smallest, \(low), is below its bound \(bound)")
    }
    expect(zip(largest, largest.dropFirst()).allSatisfy { $0.value >= $1.value }, "not descending")
    expect(zip(smallest, smallest.dropFirst()).allSatisfy { $0.value <= $1.value }, "not ascending")
    expect((largest + smallest).allSatisfy { $0.residual >= 0 }, "a negative residual")
    expect(effectiveConditionNumber.map { $0 >= 1 - 1e-9 } ?? true, "effective condition number")
    if let density {
      expect(density.negativeShare.map { (0...1).contains($0) } ?? true, "a negative share")
    }
    return faults
  }
}
