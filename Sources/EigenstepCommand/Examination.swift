import Diagnosis
import Foundation
import Labs
import LinearMaps
import OnnxBackend
import Presentation
import Reports
import TensorPrograms

/// What `eigenstep doctor` found.
struct Examination: Encodable {
  struct Check: Encodable {
    let name: String
    let isWell: Bool
    /// What was found, or what is wrong and how to mend it.
    let finding: String

    init(_ name: String, _ examine: () throws -> String) {
      self.name = name
      do {
        finding = try examine()
        isWell = true
      } catch {
        finding = sentence(of: error)
        isWell = false
      }
    }
  }

  let schema: String
  let version: String
  let checks: [Check]

  init() {
    schema = "eigenstep.doctor/1"
    version = Eigenstep.version
    checks = [
      Check("eigenstep") { "version \(Eigenstep.version)" },
      Check("machine", Self.machine),
      Check("linear algebra", Self.linearAlgebra),
      Check("reference executor") { try Self.selfTest(ReferenceExecutor(), tolerance: 1e-14) },
      Check("onnxruntime", Self.onnxRuntime),
      Check("predictions", Self.predictions),
    ]
  }

  var isWell: Bool { checks.allSatisfy(\.isWell) }

  var document: Document {
    Document(sections: [
      .init(
        nil,
        [
          .checks(checks.map { .init($0.isWell, "\($0.name): \($0.finding)") }),
          .text(isWell ? "All is well." : "Something is missing; what to do stands beside it."),
        ])
    ])
  }

  private struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  private static func machine() -> String {
    let process = ProcessInfo.processInfo
    let memory = Double(process.physicalMemory) / 1_073_741_824
    return "\(process.operatingSystemVersionString), \(process.activeProcessorCount) cores, "
      + "\(Wording.number(memory)) GiB of memory"
  }

  /// The eigenvalues of `tridiag(-1, 2, -1)` of order 5 are `4 sin^2(k pi / 12)`.
  private static func linearAlgebra() throws -> String {
    let n = 5
    var matrix = [Double](repeating: 0, count: n * n)
    for index in 0..<n {
      matrix[index * n + index] = 2
      if index > 0 {
        matrix[index * n + index - 1] = -1
        matrix[(index - 1) * n + index] = -1
      }
    }
    let values = try SymmetricEigensystem(columnMajor: matrix, dimension: n).values.sorted()
    for (index, value) in values.enumerated() {
      let exact = 4 * pow(sin(Double(index + 1) * .pi / 12), 2)
      guard abs(value - exact) < 1e-13 else {
        throw Wrong(
          description: "\(LinearAlgebraLibrary.description) returned a wrong eigenvalue, \(value) "
            + "for \(exact); reinstall OpenBLAS and LAPACKE")
      }
    }
    let threads = LinearAlgebraThreads.current.map { ", \($0) threads" } ?? ""
    return "\(LinearAlgebraLibrary.description)\(threads); self-test passed"
  }

  private static func onnxRuntime() throws -> String {
    let library = try OnnxRuntime.library()
    let verdict = try selfTest(OnnxExecutor(), tolerance: 1e-13)
    return "version \(library.version) at \(library.path); \(verdict)"
  }

  /// The gradient of `sum exp(2 x)` at (0, 1) is `2 exp(2 x)`.
  private static func selfTest(_ executor: some Executor, tolerance: Double) throws -> String {
    let type = TensorType.float64(2)
    let program = try Program.trace(type) { ($0 * 2).exp().sum() }
    let gradient = try executor.compile(program.gradient(withRespectTo: [0]))
    let result = try gradient.run([Tensor([0, 1], type: type)])
    guard case .float64(let values)? = result.last?.storage,
      values.count == 2, abs(values[0] - 2) < tolerance,
      abs(values[1] - 2 * exp(2.0)) < 20 * tolerance
    else {
      throw Wrong(description: "\(executor.name) computed a wrong gradient; reinstall it")
    }
    return "self-test passed"
  }

  /// The published step counts of two bowls.
  private static func predictions() throws -> String {
    let counts = Bowls(conditionNumbers: [10, 50]).rows.map(\.iterations)
    guard counts == [82, 445] else {
      throw Wrong(description: "bowls of condition 10 and 50 took \(counts), not 82 and 445 steps")
    }
    return "bowls of condition 10 and 50 take 82 and 445 steps, as published"
  }
}
