import CEigenstep
import Curvature
import Diagnosis
import Foundation
import LinearMaps
import Problems
import Synchronization
import TensorPrograms
import Training

/// A callback asked for the call to end: what its caller raised is the caller's to tell.
struct CallbackFailure: Error {}

/// A C caller's loss. Its callbacks come from the thread that called, in which the caller's context is.
struct CallbackLoss: ExternalLoss, @unchecked Sendable {
  let functions: eigenstep_loss
  let parameters: [LossDefinition.Parameter]
  let sampleCount: Int
  let gradientOperations: Double
  let kinds: Set<CurvatureKind>
  let name: String
  let notes: [String]
  let start: [Double]
  /// How the caller's optimizer stands, without its tensors; nil where nothing was said of it.
  let standing: OptimizerStanding?
  /// The rule and the numbers of the caller's optimizer, where they come with the loss.
  let rule: OptimizerSetting?
  /// Weight decay that is coupled to the gradient, one per parameter; nil for none.
  let penalties: [Double]?
  private let numbers = PointNumbers()

  private struct Description: Decodable {
    let name: String?
    let parameters: [Parameter]
    let sampleCount: Int?
    let gradientOperations: Double?
    let notes: [String]?
    let optimizer: Standing?

    struct Parameter: Decodable {
      let name: String
      let shape: [Int]
      let rateFactor: Double?
      let decay: Double?
      let penalty: Double?
    }

    /// The caller's own optimizer; its tensors are arrays.
    struct Standing: Decodable {
      let updates: Int?
      let rule: OptimizerSetting?
    }
  }

  /// - Throws: `DiagnosisFailure` of kind `usage` for a description that is none.
  init(_ functions: eigenstep_loss) throws {
    self.functions = functions
    guard let text = functions.description, functions.value_and_gradient != nil,
      functions.hessian_product != nil
    else {
      throw DiagnosisFailure(
        .usage,
        "The loss lacks its description, its value_and_gradient or its hessian_product; give all three."
      )
    }
    let description: Description
    do {
      description = try JSONDecoder().decode(
        Description.self, from: Data(String(cString: text).utf8))
    } catch let error as CatalogueError {
      throw error
    } catch {
      throw DiagnosisFailure(
        .usage,
        "The description of the loss cannot be read; it is a JSON object with `parameters`, each with "
          + "`name` and `shape`.")
    }
    parameters = try description.parameters.map { parameter in
      guard parameter.shape.allSatisfy({ $0 >= 0 }) else {
        throw DiagnosisFailure(
          .usage, "The parameter '\(parameter.name)' has a negative size; give its shape.")
      }
      return LossDefinition.Parameter(parameter.name, Shape(parameter.shape))
    }
    let count = try Self.count(parameters)
    guard count > 0 else {
      throw DiagnosisFailure(
        .usage,
        "The loss has no parameters to measure in; let at least one require a gradient.")
    }
    sampleCount = max(1, description.sampleCount ?? 1)
    gradientOperations =
      description.gradientOperations ?? 6 * Double(count) * Double(sampleCount)
    kinds = functions.gauss_newton_product == nil ? [.hessian] : [.hessian, .gaussNewton]
    name = description.name ?? "loss"
    notes = description.notes ?? []
    let factors = try Self.each(description, \.rateFactor, "rateFactor", otherwise: 1)
    let decays = try Self.each(description, \.decay, "decay", otherwise: 0)
    penalties = try Self.each(description, \.penalty, "penalty", otherwise: 0).flatMap {
      $0.allSatisfy { $0 == 0 } ? nil : $0
    }
    standing =
      description.optimizer == nil && factors == nil && decays == nil
      ? nil
      : OptimizerStanding(
        updates: description.optimizer?.updates ?? 0, rateFactors: factors, decays: decays)
    rule = description.optimizer?.rule
    guard let first = functions.start else {
      throw DiagnosisFailure(.usage, "The loss has no start; give one number per parameter.")
    }
    start = Array(UnsafeBufferPointer(start: first, count: count))
  }

  /// With the penalty that the optimizer's weight decay is.
  var penalised: any ExternalLoss {
    penalties.map { PenalisedLoss(self, coefficients: $0) } ?? self
  }

  /// As what is diagnosed.
  ///
  /// - Parameter state: the tensors of the caller's optimizer, by name.
  func problem(state: [String: [Double]] = [:]) -> DiagnosisProblem {
    var problem = DiagnosisProblem(
      name: name, loss: penalised, start: start, notes: notes)
    problem.standing = standing
    problem.standing?.tensors = state
    // One of a part of the weights alone gives the loss no minimum.
    if let penalties, let least = penalties.min(), least == penalties.max() { problem.l2 = least }
    return problem
  }

  /// One number per parameter, or nil where none has one.
  private static func each(
    _ description: Description, _ field: KeyPath<Description.Parameter, Double?>, _ name: String,
    otherwise: Double
  ) throws -> [Double]? {
    guard description.parameters.contains(where: { $0[keyPath: field] != nil }) else { return nil }
    return try description.parameters.map { parameter in
      let value = parameter[keyPath: field] ?? otherwise
      guard value >= 0, value.isFinite else {
        throw DiagnosisFailure(
          .usage, "The \(name) of '\(parameter.name)' is \(value); give a number of 0 or more.")
      }
      return value
    }
  }

  /// How many numbers the parameters have, each with a name of its own.
  private static func count(_ parameters: [LossDefinition.Parameter]) throws -> Int {
    var names: Set<String> = []
    var count = 0
    for parameter in parameters {
      guard names.insert(parameter.name).inserted else {
        throw DiagnosisFailure(
          .usage,
          "Two parameters are called '\(parameter.name)'; give each a name of its own.")
      }
      var size = 1
      for dimension in parameter.shape.dimensions {
        let (product, overflows) = size.multipliedReportingOverflow(by: dimension)
        guard !overflows, product < 1 << 44 else {
          throw DiagnosisFailure(
            .usage,
            "The parameter '\(parameter.name)' has the shape \(parameter.shape.dimensions), which no "
              + "memory holds; mend it.")
        }
        size = product
      }
      count += size
    }
    return count
  }

  func value<Scalar: LinearMapScalar>(at point: ExternalPoint<Scalar>) throws -> Double {
    try valueAndGradient(at: point, into: nil)
  }

  func valueAndGradient<Scalar: LinearMapScalar>(
    at point: ExternalPoint<Scalar>, into gradient: UnsafeMutableBufferPointer<Scalar>
  ) throws -> Double {
    try valueAndGradient(at: point, into: gradient.baseAddress)
  }

  private func valueAndGradient<Scalar: LinearMapScalar>(
    at point: ExternalPoint<Scalar>, into gradient: UnsafeMutablePointer<Scalar>?
  ) throws -> Double {
    var value = Double.nan
    let status = point.numbers.withUnsafeBufferPointer {
      functions.value_and_gradient(
        functions.context, Scalar.cElement, numbers.number(of: point), $0.baseAddress, &value,
        gradient)
    }
    guard status == 0 else { throw CallbackFailure() }
    return value
  }

  func product<Scalar: LinearMapScalar>(
    _ kind: CurvatureKind, at point: ExternalPoint<Scalar>,
    with direction: UnsafeBufferPointer<Scalar>, into result: UnsafeMutableBufferPointer<Scalar>
  ) throws {
    let function =
      kind == .hessian ? functions.hessian_product : functions.gauss_newton_product
    guard let function else { throw CurvatureError.noModelOutput(kind) }
    let status = point.numbers.withUnsafeBufferPointer {
      function(
        functions.context, Scalar.cElement, numbers.number(of: point), $0.baseAddress,
        direction.baseAddress, result.baseAddress)
    }
    guard status == 0 else { throw CallbackFailure() }
  }
}

/// A number for each point in turn: the same as long as the same is asked about.
private final class PointNumbers: Sendable {
  private struct State {
    /// Held, so that no other point comes to lie where it lies.
    var point: (any Sendable & AnyObject)?
    var number: UInt64 = 0
  }
  private let state = Mutex(State())

  func number(of point: any Sendable & AnyObject) -> UInt64 {
    state.withLock { state in
      if state.point !== point {
        state.point = point
        state.number += 1
      }
      return state.number
    }
  }
}

extension LinearMapScalar {
  static var cElement: Int32 {
    Int32(Self.self == Float.self ? EIGENSTEP_FLOAT32 : EIGENSTEP_FLOAT64)
  }
}
