/// A loop of known length over a sub-program.
///
/// Operands: constants, initial carries, then stacked inputs, whose axis 0 runs over the steps. The
/// body maps constants, carries and one slice of each stacked input to the next carries and this
/// step's outputs. Results: the last carries, then the outputs of all steps, stacked along axis 0.
public struct Scan: Hashable, Sendable {
  public var body: Program
  /// How many steps; with none the last carries are the initial ones.
  public var length: Int
  public var constantCount: Int
  public var carryCount: Int
  /// Whether the steps run from the last slice to the first. Outputs lie at their slice's index.
  public var isReversed: Bool

  public init(
    body: Program, length: Int, constantCount: Int, carryCount: Int, isReversed: Bool = false
  ) {
    self.body = body
    self.length = length
    self.constantCount = constantCount
    self.carryCount = carryCount
    self.isReversed = isReversed
  }
}

extension Scan {
  /// What an operand, or the input of the body in its place, is to the loop.
  package enum Role { case constant, carry, stacked }

  func role(_ operand: Int) -> Role {
    operand < constantCount
      ? .constant : operand < constantCount + carryCount ? .carry : .stacked
  }

  /// The positions of the operands with a role.
  package func operands(_ role: Role) -> Range<Int> {
    let first = constantCount + carryCount
    return switch role {
    case .constant: 0..<constantCount
    case .carry: constantCount..<first
    case .stacked: first..<body.inputs.count
    }
  }

  var outputCount: Int { body.outputs.count - carryCount }

  func stacked(_ type: TensorType) -> TensorType {
    TensorType(type.element, type.shape.inserting(length, at: 0))
  }

  /// - Throws: the reason why the loop cannot take operands of these types, from `fail`.
  func resultTypes(_ types: [TensorType], fail: (String) -> ProgramError) throws -> [TensorType] {
    guard length >= 0, constantCount >= 0, carryCount >= 0,
      constantCount + carryCount <= body.inputs.count, carryCount <= body.outputs.count
    else {
      throw fail("the body maps \(body.inputTypes) to \(body.outputTypes)")
    }
    let taken = body.inputTypes.enumerated().map { index, type in
      role(index) == .stacked ? stacked(type) : type
    }
    guard types == taken else { throw fail("the loop takes \(taken)") }
    let carries = body.inputTypes[operands(.carry)]
    guard carries.elementsEqual(body.outputTypes.prefix(carryCount)) else {
      throw fail(
        "the body takes carries \(Array(carries)) and returns \(body.outputTypes.prefix(carryCount))"
      )
    }
    return carries + body.outputTypes.dropFirst(carryCount).map(stacked)
  }
}
