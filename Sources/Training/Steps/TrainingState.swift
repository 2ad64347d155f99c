import Foundation
import LinearMaps

/// A run as it stands between two steps, complete: a run resumed from it goes on bit for bit.
public struct TrainingState<Scalar: LinearMapScalar>: Sendable, Equatable {
  /// The name and hyperparameters of the optimizer.
  public var optimizer: String
  public var hyperparameters: [String: Double]
  public var rate: Double
  /// Steps taken.
  public var stepCount: Int
  /// Which samples the gradients are of; nil for those of a closure.
  public var samples: SampleSource?
  public var parameters: [Scalar]
  /// The optimizer's tensors, flat, in the order of `Optimizer.initialState`; vectors of a method with inner
  /// iterations.
  public var state: [Scalar]
  /// Numbers that a method keeps beside its vectors.
  public var numbers: [Double] = []
}

/// Which samples a step's gradient is of.
public enum SampleSource: Sendable, Equatable, Codable {
  case all
  case batches(Batches)
}

extension TrainingState: Codable {
  private enum CodingKeys: String, CodingKey {
    case optimizer, hyperparameters, rate, stepCount, samples, precision, parameters, state, numbers
  }

  /// Numbers as their bytes, so that none is rounded and none refused.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(optimizer, forKey: .optimizer)
    try container.encode(hyperparameters, forKey: .hyperparameters)
    try container.encode(rate, forKey: .rate)
    try container.encode(stepCount, forKey: .stepCount)
    try container.encode(samples, forKey: .samples)
    try container.encode(Scalar.precisionName, forKey: .precision)
    try container.encode(Self.bytes(parameters), forKey: .parameters)
    try container.encode(Self.bytes(state), forKey: .state)
    if !numbers.isEmpty { try container.encode(Self.bytes(numbers), forKey: .numbers) }
  }

  /// - Throws: `DecodingError` where the numbers are of another precision or cut short.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let precision = try container.decode(String.self, forKey: .precision)
    guard precision == Scalar.precisionName else {
      throw DecodingError.dataCorruptedError(
        forKey: .precision, in: container,
        debugDescription: "the state is of \(precision), and was read as \(Scalar.precisionName)")
    }
    func values<Number>(_ key: CodingKeys) throws -> [Number] {
      let text = try container.decode(String.self, forKey: key)
      let size = MemoryLayout<Number>.size
      guard let data = Data(base64Encoded: text), data.count % size == 0 else {
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "the numbers are cut short")
      }
      return data.withUnsafeBytes { bytes in
        (0..<data.count / size).map {
          bytes.loadUnaligned(fromByteOffset: $0 * size, as: Number.self)
        }
      }
    }
    optimizer = try container.decode(String.self, forKey: .optimizer)
    hyperparameters = try container.decode([String: Double].self, forKey: .hyperparameters)
    rate = try container.decode(Double.self, forKey: .rate)
    stepCount = try container.decode(Int.self, forKey: .stepCount)
    samples = try container.decodeIfPresent(SampleSource.self, forKey: .samples)
    parameters = try values(.parameters)
    state = try values(.state)
    numbers = container.contains(.numbers) ? try values(.numbers) : []
  }

  private static func bytes<Number>(_ values: [Number]) -> String {
    values.withUnsafeBytes { Data($0) }.base64EncodedString()
  }
}

/// Why a training run cannot be made: one sentence and the next step.
public enum TrainingError: Error, Equatable, Sendable, CustomStringConvertible {
  case wrongState(String)
  case noBatches(String)
  case noProbe(String)
  case noSweep(String)
  case tooManyParameters(String, Int, limit: Int)

  public var description: String {
    switch self {
    case .wrongState(let reason):
      "The training state does not fit: \(reason); give the state of this loss and optimizer."
    case .noBatches(let reason):
      "There are no mini-batches of this loss: \(reason); train on all samples."
    case .noProbe(let reason):
      "No targets can be drawn from this loss: \(reason); take an optimizer that asks for none, such as "
        + "sophia-h."
    case .noSweep(let reason):
      "There is no sweep of these runs: \(reason); choose one that does not, or train one by one."
    case .tooManyParameters(let method, let count, let limit):
      "\(method) keeps a dense matrix and takes at most \(limit) parameters, but there are \(count): use "
        + "lbfgs."
    }
  }
}
