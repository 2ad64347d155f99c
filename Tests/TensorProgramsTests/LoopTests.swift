import PrimitiveTable
import Testing

@testable import TensorPrograms

/// Loops beside the same steps written one after the other.
@Suite struct LoopTests {
  private enum Cell: CaseIterable { case recurrent, longShortTerm }

  /// Mean squared error of a network over `length` steps: parameters, inputs and targets to the loss.
  private struct Network {
    var cell: Cell
    var length: Int
    var isLoop: Bool
    let batch = 3
    let inputs = 2
    let width = 4
    let outputs = 2

    var types: [TensorType] {
      let gates = cell == .recurrent ? width : 4 * width
      return [
        .float64(inputs, gates), .float64(width, gates), .float64(gates), .float64(width, outputs),
        .float64(length, batch, inputs), .float64(length, batch, outputs),
      ]
    }

    private func step(_ p: [Traced], _ carries: [Traced], _ x: Traced) -> [Traced] {
      let z = x.matmul(p[0]) + carries[0].matmul(p[1]) + p[2]
      if cell == .recurrent { return [z.tanh()] }
      let parts = z.split(sizes: .init(repeating: width, count: 4), axis: 1)
      let memory =
        parts[1].sigmoid() * carries[1] + parts[0].sigmoid() * parts[2].tanh()
      return [parts[3].sigmoid() * memory.tanh(), memory]
    }

    func program() throws -> Program {
      try Program.trace(types) { inputs in
        let (p, x, y) = (Array(inputs.prefix(4)), inputs[4], inputs[5])
        let start = x.builder.full(0, .float64(batch, width))
        var carries = cell == .recurrent ? [start] : [start, start]
        guard isLoop else {
          var loss: Traced?
          for t in 0..<length {
            func at(_ stack: Traced) -> Traced {
              stack.slice(axis: 0, t..<(t + 1)).reshaped(stack.shape.removing([0]))
            }
            carries = step(p, carries, at(x))
            loss = sum(loss, (carries[0].matmul(p[3]) - at(y)).square().sum())
          }
          return [loss!]
        }
        let results = try Traced.scan(constants: p, carries: carries, stacked: [x, y]) { p, c, x in
          let next = step(p, c, x[0])
          return (next, [(next[0].matmul(p[3]) - x[1]).square().sum()])
        }
        return [results.outputs[0].sum()]
      }
    }

    func values(seed: UInt64) -> [Tensor] {
      var random = SeededGenerator(seed)
      return types.map { Domain.uniform(-1, 1).draw($0, &random) }
    }
  }

  /// Value, gradient and Hessian product, to rounding.
  @Test(arguments: Cell.allCases)
  private func agreesWithTheStepsWrittenOut(_ cell: Cell) throws {
    let (loop, unrolled) = (
      Network(cell: cell, length: 16, isLoop: true), Network(cell: cell, length: 16, isLoop: false)
    )
    let (x, v) = (loop.values(seed: 1), Array(loop.values(seed: 2).prefix(4)))
    let (a, b) = (try loop.program(), try unrolled.program())
    #expect(distance(try interpret(a, x).numbers, try interpret(b, x).numbers) < 1e-13)
    let moving = [0, 1, 2, 3]
    let (ga, gb) = (
      try a.gradient(withRespectTo: moving), try b.gradient(withRespectTo: moving)
    )
    try ga.verify()
    for (p, q) in zip(try interpret(ga, x), try interpret(gb, x)) {
      #expect(distance(p.doubles, q.doubles) < 1e-12)
    }
    let (ha, hb) = (
      try a.hessianProduct(withRespectTo: moving), try b.hessianProduct(withRespectTo: moving)
    )
    try ha.primal.verify()
    try ha.linear.verify()
    for (p, q) in zip(try ha.apply(x, v), try hb.apply(x, v)) {
      #expect(distance(p.doubles, q.doubles) < 1e-12)
    }
  }

  @Test(arguments: Cell.allCases)
  private func productsDoNotGrowWithTheSteps(_ cell: Cell) throws {
    func size(_ length: Int) throws -> [Int] {
      let program = try Network(cell: cell, length: length, isLoop: true).program()
      let product = try program.hessianProduct(withRespectTo: [0, 1, 2, 3])
      return [product.primal, product.linear].map { $0.allEquations.count }
    }
    #expect(try size(8) == size(32))
  }

  /// Of the products of a gradient's loop only that with the recurrent weights is left in it, and each
  /// weight's gradient is one product.
  @Test(arguments: Cell.allCases)
  private func weightGradientsAreOneProduct(_ cell: Cell) throws {
    let network = Network(cell: cell, length: 9, isLoop: true)
    let gradient = try network.program().gradient(withRespectTo: [0, 1, 2, 3])
    let bodies = gradient.equations.compactMap(\.primitive.body)
    #expect(bodies.count == 2)
    #expect(bodies.map(\.dotCount) == [1, 1], "\(gradient)")
    // Ahead: x W. Behind: h V, its two transposes, and one for each of the recurrent cell's weights.
    #expect(gradient.dotCount == 6, "\(gradient)")
    for body in bodies {
      #expect(!body.outputTypes.contains { $0.shape == network.types[1].shape })
    }
  }

  @Test func aLoopThatOnlyMapsIsNoLoop() throws {
    let program = try Program.trace([.float64(3, 2), .float64(5, 4, 3)]) { inputs in
      let results = try Traced.scan(
        constants: [inputs[0]], carries: [inputs[0]], stacked: [inputs[1]]
      ) { w, c, x in
        ([c[0]], [x[0].matmul(w[0]).tanh()])
      }
      return results.carries + results.outputs
    }
    let simple = program.simplified()
    #expect(simple.allEquations.map(\.primitive.name) == ["dot", "tanh"], "\(simple)")
  }

  @Test func deadCarriesAndOutputsGo() throws {
    let type = TensorType.float64(4)
    let program = try Program.trace([type, type, .float64(6, 4)]) { inputs in
      let results = try Traced.scan(carries: [inputs[0], inputs[1]], stacked: [inputs[2]]) {
        _, c, x in
        ([(c[0] * x[0]).sin(), (c[1] + c[0]).cos()], [c[1] * x[0]])
      }
      return [results.carries[0]]
    }
    let simple = program.simplified()
    #expect(simple.equations.count == 1)
    #expect(simple.equations[0].operands.count == 2)
    #expect(simple.equations[0].results.count == 1)
  }

  @Test func misfitsAreNamed() throws {
    func error(_ body: @escaping ([Traced]) throws -> [Traced]) -> String {
      do {
        _ = try Program.trace([.float64(2), .float64(5, 2), .float64(4, 2)], body)
        return "none"
      } catch { return "\(error)" }
    }
    let carry = error { inputs in
      try Traced.scan(carries: [inputs[0]], stacked: [inputs[1]]) { _, c, x in ([c[0].sum()], x) }
        .carries
    }
    #expect(carry.contains("starts from carries [float64[2]]") && carry.contains("[float64[]]"))
    let lengths = error { inputs in
      try Traced.scan(carries: [inputs[0]], stacked: [inputs[1], inputs[2]]) { _, c, x in
        ([c[0] + x[0] + x[1]], [])
      }.carries
    }
    #expect(lengths.contains("scan(length: 5") && lengths.contains("float64[4, 2]"))
    let unknown = error { inputs in
      try Traced.scan(carries: [inputs[0]]) { _, c, _ in (c, []) }.carries
    }
    #expect(unknown.contains("its length"))
  }
}

extension Program {
  /// The equations, those of bodies included.
  fileprivate var allEquations: [Equation] {
    equations.flatMap { [$0] + ($0.primitive.body?.allEquations ?? []) }
  }

  fileprivate var dotCount: Int { equations.filter { $0.primitive.name == "dot" }.count }
}
