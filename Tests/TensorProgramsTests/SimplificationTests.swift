import PrimitiveTable
import Testing
import TensorPrograms

/// What `simplified` must recognise, and what it must leave alone.
@Suite struct SimplificationTests {
  struct Identity: Sendable, CustomStringConvertible {
    var description: String
    /// The most equations that may remain.
    var most: Int
    var body: @Sendable (Traced, Traced) -> Traced

    init(_ name: String, _ most: Int, _ body: @escaping @Sendable (Traced, Traced) -> Traced) {
      (description, self.most, self.body) = (name, most, body)
    }
  }

  static let identities: [Identity] = [
    Identity("x + 0", 0) { x, _ in x + 0 },
    Identity("0 + x", 0) { x, _ in 0 + x },
    Identity("x - 0", 0) { x, _ in x - 0 },
    Identity("0 - x", 1) { x, _ in 0 - x },
    Identity("x * 1", 0) { x, _ in x * 1 },
    Identity("x * -1", 1) { x, _ in -1 * x },
    Identity("x / 1", 0) { x, _ in x / 1 },
    Identity("x x", 1) { x, _ in x * x },
    Identity("x^1", 0) { x, _ in x.power(x.scalar(1)) },
    Identity("x^2", 1) { x, _ in x.power(x.scalar(2)) },
    Identity("-(-x)", 0) { x, _ in -(-x) },
    Identity("x + (-y)", 1) { x, y in x + -y },
    Identity("x - (-y)", 1) { x, y in x - -y },
    Identity("(x 3) 0.5", 3) { x, _ in (x * 3) * 0.5 },
    Identity("max(x, x)", 0) { x, _ in x.maximum(x) },
    Identity("x y + y x", 2) { x, y in x * y + y * x },
    Identity("constants alone", 3) { x, _ in x + (x.scalar(2).exp() * 3 - 1) },
    Identity("transpose of transpose", 0) { x, _ in x.transposed().transposed() },
    Identity("reshape of reshape", 0) { x, _ in x.reshaped([6]).reshaped([3, 2]).reshaped([2, 3]) },
    Identity("reverse of nothing", 0) { x, _ in x.reversed(axes: []) },
    Identity("whole slice", 0) { x, _ in x.slice(axis: 0, 0..<2) },
    Identity("one part", 0) { x, _ in Traced.concatenate(x.split(sizes: [3], axis: 1), axis: 0) },
    Identity("broadcast of broadcast", 1) { x, _ in
      x.broadcast(to: [4, 2, 3]).broadcast(to: [5, 4, 2, 3])
    },
    Identity("broadcast of an inserted axis", 1) { x, _ in
      x.expanded(at: 1).broadcast(to: [2, 4, 3], axes: [0, 1, 2])
    },
    Identity("dot of transposes", 1) { x, y in
      x.transposed().dot(y.transposed(), DotDimensions(contracting: [0], [0]))
    },
    Identity("transpose of dot", 1) { x, y in
      x.dot(y, DotDimensions(contracting: [1], [1])).transposed()
    },
    Identity("select of equals", 0) { x, y in x.compare(.less, y).select(x, x) },
    Identity("select by a constant", 0) { x, y in
      x.scalar(1).compare(.less, x.scalar(2)).broadcast(to: x.shape).select(x, y)
    },
    Identity("sum of a repeated number", 3) { x, _ in x + (x.zeros() + 2.5).sum() },
    Identity("call", 3) { x, y in
      let body = try! Program.trace(x.type, y.type) { $0 * $1 + $0 * $1 }
      return x.builder.emit(.call(body), [x, y])[0].sin()
    },
  ]

  @Test(arguments: identities)
  func recognised(_ identity: Identity) throws {
    for element in [ElementType.float64, .float32] {
      let type = TensorType(element, [2, 3])
      let program = try Program.trace(type, type, identity.body)
      let simplified = program.simplified()
      try simplified.verify()
      #expect(simplified.equations.count <= identity.most, "\(simplified)")
      let inputs = directions([type, type], seed: 5)
      let (before, after) = (try interpret(program, inputs), try interpret(simplified, inputs))
      #expect(before[0].type == after[0].type)
      #expect(distance(after[0].doubles, before[0].doubles) < (element == .float32 ? 1e-6 : 1e-15))
    }
  }

  /// Programs whose special values an eager identity would change.
  static let special: [Identity] = [
    Identity("x 0", 9) { x, _ in x * 0 },
    Identity("x - x", 9) { x, _ in x - x },
    Identity("x / x", 9) { x, _ in x / x },
    Identity("0 / x", 9) { x, _ in 0 / x },
    Identity("x^0", 9) { x, _ in x.power(x.scalar(0)) },
    Identity("(x 1e30) 1e30", 9) { x, _ in (x * 1e30) * 1e30 },
    Identity("infinite constants", 9) { x, _ in x + x.scalar(.infinity) * 0 },
    Identity("empty sum of NaN", 9) { x, _ in
      x + x.builder.full(.nan, TensorType(x.element, [0])).sum()
    },
    Identity("NaN to an integer", 9) { x, _ in
      let none = x.builder.full(.nan, TensorType(x.element, [2, 3]))
      return x + none.converted(to: .int32).converted(to: x.element)
    },
    Identity("a large integer", 9) { x, _ in
      let large = x.builder.constant(Tensor([Int64.max], shape: [1])).broadcast(to: [2, 3])
      return x + (-large).converted(to: x.element)
    },
    Identity("the last bit of an integer", 9) { x, _ in
      let odd = x.builder.constant(Tensor([(Int64(1) << 53) + 1], shape: [1])).broadcast(to: [2, 3])
      let even = x.builder.constant(Tensor([Int64(1) << 53], shape: [1])).broadcast(to: [2, 3])
      return x + (odd.reshaped([6]).reshaped([2, 3]) - even).converted(to: x.element)
    },
  ]

  @Test(arguments: special)
  func specialValuesSurvive(_ identity: Identity) throws {
    for element in [ElementType.float64, .float32] {
      let type = TensorType(element, [2, 3])
      let program = try Program.trace(type, type, identity.body)
      let simplified = program.simplified()
      try simplified.verify()
      let x = Tensor([0, 1, -1, .nan, .infinity, 1e-38], type: type)
      let (before, after) = (try interpret(program, [x, x]), try interpret(simplified, [x, x]))
      #expect(distance(after[0].doubles, before[0].doubles) < 1e-6, "\(element)\n\(simplified)")
    }
  }

  @Test func deadCodeAndUnusedInputs() throws {
    let type = TensorType(.float64, [2])
    let program = try Program.trace([type, type, type]) { inputs in
      _ = inputs[1].exp()
      return [inputs[0], inputs[0], inputs[2].square()]
    }
    let simplified = program.simplified()
    #expect(simplified.inputTypes == program.inputTypes)
    #expect(simplified.equations.count == 1)
    #expect(simplified == simplified.simplified())
  }
}
