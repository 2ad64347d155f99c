import Foundation
import OnnxBackend
import TensorPrograms
import Testing

/// Random small problems are diagnosed, or refused in a sentence: no trap, no error of another kind, no
/// number that is not finite, no run without end, no report that contradicts itself.
///
/// `EIGENSTEP_FUZZ=20000` runs that many cases from `EIGENSTEP_FUZZ_FIRST` on; `Scripts/fuzz.sh` goes on
/// behind one that ends the process. Each lane writes the number of its case to a file before it begins.
@Suite struct FuzzTests {
  static let standard = 1000
  static let lanes = 4

  private static func number(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
  }

  @Test(arguments: 0..<lanes)
  func randomProblems(lane: Int) throws {
    let first = Self.number("EIGENSTEP_FUZZ_FIRST") ?? 0
    let count = Self.number("EIGENSTEP_FUZZ") ?? Self.standard
    let skipped = Set(
      (ProcessInfo.processInfo.environment["EIGENSTEP_FUZZ_SKIP"] ?? "").split(separator: ",")
        .compactMap { Int($0) })
    let folder = ProcessInfo.processInfo.environment["EIGENSTEP_FUZZ_LOG"]
    let executors = (reference: ReferenceExecutor(), onnx: try OnnxExecutor())
    let clock = ContinuousClock()
    var (refusals, work, longest, longestCase) = (0, 0, Duration.zero, -1)
    for index in stride(from: first + lane, to: first + count, by: Self.lanes)
    where !skipped.contains(index) {
      if let folder {
        try Data("\(index)\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/lane-\(lane)"))
      }
      let random = try RandomCase(index)
      let begin = clock.now
      let check = FuzzCheck(random, executors: executors)
      let time = clock.now - begin
      for fault in check.faults { Issue.record("\(random.summary): \(fault)") }
      refusals += check.refusals
      work = max(work, check.work)
      if time > longest { (longest, longestCase) = (time, index) }
    }
    // Most are answered, or the generator makes nothing but nonsense.
    #expect(count < Self.standard || refusals < count / Self.lanes, "\(refusals) refusals")
    if folder != nil {
      print(
        "lane \(lane): \(refusals) refusals, at most \(work) products and steps, longest \(longest) "
          + "(case \(longestCase))")
    }
  }
}
