import LinearMaps
import TensorPrograms

/// Whether the samples of a batch have each a loss of their own, found by running batches.
package struct SampleCoupling: Equatable {
  /// The size of the only batch that the loss takes; nil where any will do.
  package var fixedBatch: Int?
  /// Whether a sample's loss depends on the others of its batch.
  package var couples: Bool
  /// The part of the model where a sample first meets the others; nil where there is none, or none is found.
  package var node: String?
  /// What the loss says of batches of another size, where it takes one alone.
  package var refusal: String?
}

extension LossDefinition {
  /// Looks whether the loss of samples is the mean of each one's, so that they may be cut into batches: not
  /// under the batch's own statistics, nor where the leading axis is not that of the samples.
  ///
  /// Small batches are run where the loss takes them, else batches of its one size. With even places `E` and
  /// odd places `O` of a batch given other samples, a mean of samples' losses has
  /// `f(E, O) - f(E', O) - f(E, O') + f(E', O') = 0`. Beside the point, since at the point itself the outputs
  /// may be constant (as under a last layer of zeros).
  package func coupling<Scalar: LinearMapScalar>(
    _ data: [Tensor], at point: [Scalar], executor: any Executor
  ) throws -> SampleCoupling {
    let count = data.first?.shape.dimensions.first ?? 1
    guard count > 1, data.allSatisfy({ $0.shape.dimensions.first == count }) else {
      return SampleCoupling(fixedBatch: fixedBatch, couples: fixedBatch != 1)
    }
    let trial = BatchTrial(self, data, at: point, executor)
    if fixedBatch == nil {
      do {
        guard try !trial.separatesSmall() else {
          return SampleCoupling(fixedBatch: nil, couples: false)
        }
        return SampleCoupling(
          fixedBatch: nil, couples: true, node: try trial.mixingNode(min(3, count)))
      } catch let error as ProgramError {
        guard try trial.separates(count) else {
          return SampleCoupling(couples: true, node: try trial.mixingNode(count))
        }
        return SampleCoupling(fixedBatch: count, couples: false, refusal: "\(error)")
      }
    }
    let size = fixedBatch ?? count
    do {
      let couples = try size > 1 && !trial.separates(size)
      return SampleCoupling(
        fixedBatch: size, couples: couples, node: couples ? try trial.mixingNode(size) : nil)
    } catch is ProgramError {
      return SampleCoupling(fixedBatch: fixedBatch, couples: true)
    }
  }
}

/// Runs of a loss on chosen samples.
private struct BatchTrial<Scalar: LinearMapScalar> {
  let definition: LossDefinition
  let data: [Tensor]
  let executor: any Executor
  let point: [Scalar]
  let layout: ParameterLayout

  init(
    _ definition: LossDefinition, _ data: [Tensor], at point: [Scalar], _ executor: any Executor
  ) {
    (self.definition, self.data, self.executor) = (definition, data, executor)
    var generator = SeededGenerator(seed: 0)
    self.point = point.map { $0 + 0.05 * Scalar(generator.nextNormal()) }
    layout = ParameterLayout(definition.parameterTypes(Scalar.element))
  }

  private func run(_ program: Program, _ batch: [Tensor]) throws -> [Tensor] {
    try point.withUnsafeBufferPointer {
      try executor.compile(program).run(
        layout.views($0.baseAddress!).arguments + batch.map { .tensor($0) },
        into: program.outputs.map { _ in .tensor }
      ).map { try $0.tensor() }
    }
  }

  private func batch(_ samples: [Int]) -> [Tensor] { data.map { $0.samples(at: samples) } }

  private func loss(_ samples: [Int]) throws -> Double {
    let batch = batch(samples)
    let program = try definition.program(
      dataTypes: batch.map(\.type), element: Scalar.element
    ).simplified()
    return try run(program, batch)[0].scalarValue
  }

  /// Whether three samples together have the mean of their losses.
  ///
  /// - Throws: `ProgramError` where the loss takes no such batch.
  func separatesSmall() throws -> Bool {
    let count = data[0].shape[0]
    let samples = Array(Set([0, count / 2, count - 1])).sorted()
    let apart = try samples.map { try loss([$0]) }
    let together = try loss(samples)
    return agree(together, apart.reduce(0, +) / Double(apart.count), among: apart + [together])
  }

  /// Whether a batch's loss is a sum over its even and odd places.
  ///
  /// - Throws: `ProgramError` where the loss takes no such batch.
  func separates(_ size: Int) throws -> Bool {
    let given = Array(0..<size)
    // Samples of another batch where there is one, else the same in another order.
    let count = data[0].shape[0]
    let other = given.map { count >= 2 * size ? $0 + size : ($0 + 1) % size }
    func mixed(_ even: [Int], _ odd: [Int]) -> [Int] {
      given.map { $0.isMultiple(of: 2) ? even[$0] : odd[$0] }
    }
    let losses = try [(given, given), (other, given), (given, other), (other, other)].map {
      try loss(mixed($0.0, $0.1))
    }
    return agree(losses[0] + losses[3], losses[1] + losses[2], among: losses)
  }

  private func agree(_ a: Double, _ b: Double, among losses: [Double]) -> Bool {
    // Where the loss is not finite, another measurement says so.
    guard losses.allSatisfy(\.isFinite) else { return true }
    let scale = losses.reduce(0) { $0 + abs($1) }
    return abs(a - b) <= Double(Scalar.ulpOfOne).squareRoot() * scale
  }

  /// The source of the first value of the model that changes at other samples' places when one sample of a
  /// batch does.
  func mixingNode(_ size: Int) throws -> String? {
    guard size > 1, let model = definition.composite?.model else { return nil }
    let before = batch(Array(0..<size))
    let after = batch([0, size < data[0].shape[0] ? size : 0] + Array(2..<max(2, size)))
    let types = definition.parameterTypes(Scalar.element)
    let program: Program
    do {
      program = try Program.trace(types + before.map(\.type)) { arguments in
        [model(Array(arguments.prefix(types.count)), Array(arguments.dropFirst(types.count)))]
      }
    } catch is ProgramError { return nil }
    let seen = program.equations.filter { equation in
      equation.source != nil
        && equation.results.allSatisfy { program.type(of: $0).element.isFloating }
    }
    let watching = Program(
      types: program.types, inputs: program.inputs, equations: program.equations,
      outputs: seen.flatMap(\.results))
    guard !watching.outputs.isEmpty else { return nil }
    let values = try (run(watching, before), run(watching, after))
    var index = 0
    for equation in seen {
      for _ in equation.results {
        if !Self.isLocal(values.0[index], values.1[index], size) { return equation.source }
        index += 1
      }
    }
    return nil
  }

  /// Whether two values differ at most in the second of `size` parts of some axis.
  private static func isLocal(_ before: Tensor, _ after: Tensor, _ size: Int) -> Bool {
    let (a, b) = (before.doubles, after.doubles)
    let scale = a.reduce(0) { max($0, abs($1)) }
    let rounding = Double(Scalar.ulpOfOne).squareRoot() * scale
    let changed = a.indices.filter { abs(a[$0] - b[$0]) > rounding }
    if changed.isEmpty { return true }
    return zip(before.shape.dimensions, before.shape.strides).contains { length, stride in
      guard length.isMultiple(of: size), length > 0 else { return false }
      let part = length / size
      return changed.allSatisfy { $0 / stride % length / part == 1 }
    }
  }
}
