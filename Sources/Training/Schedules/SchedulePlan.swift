import Presentation

/// A schedule of the catalogue with its warm-up, as a request stores it:
/// `{"schedule": {"name": "cosine", ...}, "warmUp": 0.05}`.
public struct SchedulePlan: Sendable, Equatable, Codable {
  public var schedule: ScheduleSetting
  /// Above 1 in steps, up to 1 as a share of the run; nil for no warm-up.
  public var warmUp: Double?

  /// - Precondition: a warm-up above 0.
  public init(_ schedule: ScheduleSetting = ScheduleSetting(), warmUp: Double? = nil) {
    precondition(warmUp.map { $0 > 0 && $0.isFinite } ?? true, "a warm-up is longer than 0")
    self.schedule = schedule
    self.warmUp = warmUp
  }

  private enum CodingKeys: String, CodingKey { case schedule, warmUp }

  /// - Throws: `CatalogueError`; `DecodingError` for a warm-up that is not above 0.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schedule =
      try container.decodeIfPresent(ScheduleSetting.self, forKey: .schedule) ?? ScheduleSetting()
    warmUp = try container.decodeIfPresent(Double.self, forKey: .warmUp)
    if let warmUp, !(warmUp > 0 && warmUp.isFinite) {
      throw DecodingError.dataCorruptedError(
        forKey: .warmUp, in: container,
        debugDescription: "the warm-up is \(warmUp), but it must be above 0; leave it out for none")
    }
  }

  /// - Parameter largest: the rate that one which measures is held at or below; nil for none.
  public func make(atMost largest: Double? = nil) -> any Schedule {
    var made = schedule.make()
    if let largest, made.measurement != nil { made = HeldBelow(largest, made) }
    return warmUp.map { WarmUp($0, before: made) } ?? made
  }

  /// In words: `a cosine to 0 over the whole run, after a linear warm-up of 5 % of the run`.
  public var phrase: String { make().phrase }
}
