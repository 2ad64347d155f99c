/// Loops with less to do in each step.
extension Rewriter {
  /// The results of a loop whose body is simplified, if a better one is known.
  mutating func simplify(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    unrolled(scan, x) ?? normalised(scan, x) ?? summedOutside(scan, x) ?? hoisted(scan, x)
      ?? delayed(scan, x) ?? sunk(scan, x)
  }

  /// Emits what `body` builds from the arguments.
  mutating func emit(_ x: [Traced], _ body: ([Traced]) -> [Traced]) -> [Traced] {
    emit(.call(Program.build(x.map(\.type), body)), x)
  }

  /// No step or one needs no loop.
  private mutating func unrolled(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    if scan.length == 0 {
      let builder = self.builder
      return Array(x[scan.operands(.carry)])
        + scan.body.outputTypes.dropFirst(scan.carryCount).map { builder.full(0, scan.stacked($0)) }
    }
    guard scan.length == 1 else { return nil }
    return emit(x) { x in
      let slices = x[scan.operands(.stacked)].map { $0.reshaped($0.shape.removing([0])) }
      let results = x.builder.inline(
        scan.body, Array(x.prefix(scan.operands(.stacked).lowerBound)) + slices)
      return Array(results.prefix(scan.carryCount))
        + results.dropFirst(scan.carryCount).map { $0.expanded(at: 0) }
    }
  }

  /// An input of the body as the loop should give it.
  private enum Given {
    case number(Double, TensorType)
    case operand(Traced, Scan.Role)
    /// What an earlier input is.
    case same(Int)
  }

  /// A carry that never changes and a stack of equal slices are constants, known numbers part of the
  /// body; what is given twice is given once, and so is what is returned twice.
  private mutating func normalised(_ scan: Scan, _ x: [Traced]) -> [Traced]? {
    let body = scan.body
    func isFixed(_ carry: Int) -> Bool {
      body.outputs[carry] == body.inputs[scan.constantCount + carry]
    }
    var given: [Given] = []
    var first: [String: Int] = [:]
    var changes = false
    for (index, value) in x.enumerated() {
      var (value, role) = (value, scan.role(index))
      if role == .carry, isFixed(index - scan.constantCount) { role = .constant }
      if role == .stacked, let slice = repeatedSlice(value) { (value, role) = (slice, .constant) }
      if role != scan.role(index) { changes = true }
      if role == .carry {
        given.append(.operand(value, role))
        continue
      }
      let key = "\(role) \(value.variable.index)"
      if role == .constant, let number = uniform(value) {
        given.append(.number(number, value.type))
        changes = true
      } else if let earlier = first[key] {
        given.append(.same(earlier))
        changes = true
      } else {
        first[key] = index
        given.append(.operand(value, role))
      }
    }
    let carries = (0..<scan.carryCount).filter { !isFixed($0) }
    var outputs: [Int] = []
    var place: [Program.Variable: Int] = [:]
    for index in scan.carryCount..<body.outputs.count where place[body.outputs[index]] == nil {
      place[body.outputs[index]] = carries.count + outputs.count
      outputs.append(index)
    }
    guard changes || outputs.count < scan.outputCount else { return nil }

    var operands: [Scan.Role: [(index: Int, value: Traced)]] = [:]
    for (index, input) in given.enumerated() {
      if case .operand(let value, let role) = input {
        operands[role, default: []].append((index, value))
      }
    }
    let roles: [Scan.Role] = [.constant, .carry, .stacked]
    let read = roles.flatMap { operands[$0, default: []] }
    let narrower = Program.build(read.map { body.inputTypes[$0.index] }) { builder, arguments in
      var inputs = [Traced?](repeating: nil, count: x.count)
      for (operand, argument) in zip(read, arguments) { inputs[operand.index] = argument }
      for (index, input) in given.enumerated() {
        switch input {
        case .number(let number, let type): inputs[index] = builder.full(number, type)
        case .same(let earlier): inputs[index] = inputs[earlier]
        case .operand: break
        }
      }
      let results = builder.inline(body, inputs.map { $0! })
      return (carries + outputs).map { results[$0] }
    }
    let loop = Scan(
      body: narrower, length: scan.length,
      constantCount: operands[.constant, default: []].count, carryCount: carries.count,
      isReversed: scan.isReversed)
    let results = emit(.scan(loop), read.map(\.value))
    return (0..<scan.carryCount).map { carry in
      carries.firstIndex(of: carry).map { results[$0] } ?? x[scan.constantCount + carry]
    } + body.outputs.dropFirst(scan.carryCount).map { results[place[$0]!] }
  }

  /// The slice that all slices of a stack are, where that is known.
  private mutating func repeatedSlice(_ x: Traced) -> Traced? {
    guard let equation = definition(x), case .broadcast(let shape, let axes) = equation.primitive
    else { return nil }
    let source = operand(equation)
    let slice = shape.removing([0])
    if axes.first != 0 {
      return one(.broadcast(slice, axes: axes.map { $0 - 1 }), source)[0]
    }
    guard source.shape[0] == 1, shape[0] != 1 else { return nil }
    let inner = one(.reshape(source.shape.removing([0])), source)[0]
    return one(.broadcast(slice, axes: axes.dropFirst().map { $0 - 1 }), inner)[0]
  }
}
