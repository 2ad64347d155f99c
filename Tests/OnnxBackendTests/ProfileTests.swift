import Testing
import TensorPrograms

@testable import OnnxBackend

/// Programs carry where their equations come from, and profiles tell it.
@Suite struct ProfileTests {
  /// Two layers with a source each.
  private func network() throws -> Program {
    try Program.trace([.float32(20, 30), .float32(30, 40), .float32(40, 5)]) { inputs in
      let builder = inputs[0].builder
      builder.source = "hidden"
      let hidden = inputs[0].matmul(inputs[1]).tanh()
      builder.source = "top"
      return [hidden.matmul(inputs[2]).square().mean()]
    }
  }

  @Test func derivativesKeepTheSource() throws {
    let product = try network().hessianProduct(withRespectTo: [1, 2])
    for program in [product.primal, product.linear] {
      let products = program.equations.filter { $0.primitive.name == "dot" }
      #expect(!products.isEmpty)
      for equation in products { #expect(["hidden", "top"].contains(equation.source ?? "")) }
    }
    #expect(Set(product.linear.equations.compactMap(\.source)) == ["hidden", "top"])
  }

  @Test func profileNamesPrimitivesAndSources() throws {
    let executor = try OnnxExecutor(isProfiled: true)
    let product = try network().hessianProduct(withRespectTo: [1, 2])
    let primal = try executor.compile(product.primal)
    let inputs = product.primal.inputTypes.map { Tensor(repeating: 0.25, type: $0) }
    for _ in 0..<3 { _ = try primal.run(inputs) }
    let profile = try #require(try executor.profile())
    let products = profile.entries.filter { $0.primitive == "dot" }
    #expect(Set(products.compactMap(\.source)) == ["hidden", "top"])
    #expect(products.allSatisfy { $0.runs % 3 == 0 && $0.milliseconds >= 0 })
    #expect(profile.milliseconds > 0)
    let times = profile.entries.map(\.milliseconds)
    #expect(times == times.sorted(by: >))
    #expect(try OnnxExecutor().profile() == nil)
  }

  @Test func loopsCountWithoutTheirBody() {
    var profile = ExecutionProfile(entries: [])
    profile.add([
      NodeEvent(nodeName: "dot|1|cell", operation: "MatMul", start: 12, duration: 30),
      NodeEvent(nodeName: "dot|1|cell", operation: "MatMul", start: 52, duration: 30),
      NodeEvent(nodeName: "scan|0|lstm", operation: "Scan", start: 10, duration: 100),
      NodeEvent(nodeName: "made up", operation: "Gemm", start: 200, duration: 5),
    ])
    let times = profile.entries.map { "\($0.primitive) \($0.source ?? "-") \($0.milliseconds)" }
    #expect(times == ["dot cell 0.06", "scan lstm 0.04", "fused - 0.005"])
  }
}
