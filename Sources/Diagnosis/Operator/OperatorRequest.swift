import LinearMaps
import Training

/// What is asked of a symmetric operator that is known by its products alone.
public struct OperatorRequest: Sendable, Equatable {
  public static let currentSchema = "eigenstep.request.operator/1"

  public enum Task: String, Codable, Sendable, CaseIterable {
    /// The outermost eigenvalues with their vectors, certified.
    case eigenpairs
    /// The largest eigenvalue over the smallest, or over the smallest of a size above rounding.
    case conditionNumber = "condition-number"
    /// The distribution of all eigenvalues.
    case density
    case trace
    /// `A x = b`.
    case solve
  }

  public var task: Task
  /// Eigenpairs wanted at each end.
  public var count = 1
  public var which = SpectrumEnd.largest
  /// Relative: of a residual to the largest `|lambda|`, of a trace's standard error to it, of a residual to
  /// `b`; nil for 1e-8 in float64 and 1e-4 in float32, and 1e-2 for a trace.
  public var tolerance: Double?
  /// Products allowed; nil for what the task usually takes.
  public var maxApplications: Int?
  /// The Wasserstein-1 error, relative to the range, asked of the density.
  public var densityError = 0.05
  public var seed = 0
  /// Bytes that vectors may take.
  public var memory = Resources().memory

  public init(_ task: Task) { self.task = task }

  /// - Throws: `RequestError` for the first field with a value that it cannot have.
  public func check() throws {
    try RequestError.check(count, "count", atLeast: 1)
    try RequestError.check(tolerance, "tolerance", .between(0, 1))
    try RequestError.check(maxApplications, "maxApplications", atLeast: 1)
    try RequestError.check(densityError, "densityError", .between(0, 1))
    try RequestError.check(memory, "memory", atLeast: 1)
    try RequestError.check(seed, "seed", atLeast: 0)
  }
}

extension OperatorRequest: Codable {
  private enum CodingKeys: String, CodingKey, CaseIterable {
    case schema, task, count, which, tolerance, maxApplications, densityError, seed, memory
  }

  public init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, CodingKeys.self)
    try fields.check(.schema, is: Self.currentSchema)
    self.init(try fields.value(.task))
    count = try fields.optional(.count) ?? count
    which = try fields.optional(.which) ?? which
    tolerance = try fields.optional(.tolerance)
    maxApplications = try fields.optional(.maxApplications)
    densityError = try fields.optional(.densityError) ?? densityError
    seed = try fields.optional(.seed) ?? seed
    memory = try fields.optional(.memory) ?? memory
    try check()
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(Self.currentSchema, forKey: .schema)
    try container.encode(task, forKey: .task)
    try container.encode(count, forKey: .count)
    try container.encode(which, forKey: .which)
    try container.encodeIfPresent(tolerance, forKey: .tolerance)
    try container.encodeIfPresent(maxApplications, forKey: .maxApplications)
    try container.encode(densityError, forKey: .densityError)
    try container.encode(seed, forKey: .seed)
    try container.encode(memory, forKey: .memory)
  }
}
