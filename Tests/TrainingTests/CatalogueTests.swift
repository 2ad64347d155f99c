import Testing

@testable import Training

/// What every catalogue owes to whoever types a number.
@Suite struct CatalogueTests {
  private func check<Kind: Catalogue>(_ catalogue: Kind.Type) throws {
    for entry in Kind.all {
      for item in entry.hyperparameters {
        // The ends of its range, as far as they are numbers, make one; nothing traps.
        for value in [item.range.lower, item.range.upper, 1e300, -1e300, 1e-300]
        where item.range.contains(value) {
          _ = try entry.make([item.name: value])
        }
        for value in [Double.nan, .infinity, -.infinity] {
          #expect(throws: CatalogueError.self, "\(entry.name) \(item.name)") {
            _ = try entry.make([item.name: value])
          }
        }
        #expect(item.range.contains(item.standard), "\(entry.name) \(item.name)")
      }
      #expect(throws: CatalogueError.self) { _ = try entry.make(["no such number": 1]) }
    }
    #expect(Kind.named(Kind.standard) != nil)
    #expect(Set(Kind.all.map(\.name)).count == Kind.all.count)
  }

  @Test func numbersThatAnybodyTypes() throws {
    try check(OptimizerCatalogue.self)
    try check(MethodCatalogue.self)
    try check(ScheduleCatalogue.self)
    try check(TrackerCatalogue.self)
    try check(SwitchCatalogue.self)
  }

  /// What steps there are between two looks is `every` here and `period` there: both are understood, once.
  @Test func everyAndPeriodAreOne() throws {
    #expect(try TrackerSetting("sharpness", ["every": 7]).hyperparameters["period"] == 7)
    let schedule = try CatalogueSetting<ScheduleCatalogue>("sharpness-following", ["period": 7])
    #expect(schedule.hyperparameters["every"] == 7)
    #expect(throws: CatalogueError.self) {
      try TrackerSetting("sharpness", ["every": 7, "period": 8])
    }
    #expect(try TrackerCatalogue.entry("layers").make().period == 100)
  }

  /// What counts something is a whole number, and a half is refused rather than cut.
  @Test(arguments: [
    "period", "groups", "products", "pairs", "rank", "iterations", "every", "patience", "cooldown",
    "largest-axis", "dense",
  ])
  func countsAreWhole(_ name: String) {
    func ranges<Kind: Catalogue>(_ catalogue: Kind.Type) -> [ValueRange] {
      // The stretch of step decay may be a share of the run.
      Kind.all.filter { $0.name != "step" }.flatMap(\.hyperparameters)
        .filter { $0.name == name }.map(\.range)
    }
    let all =
      ranges(OptimizerCatalogue.self) + ranges(MethodCatalogue.self)
      + ranges(ScheduleCatalogue.self) + ranges(TrackerCatalogue.self)
      + ranges(SwitchCatalogue.self)
    #expect(!all.isEmpty && all.allSatisfy { !$0.contains($0.lower + 1.5) })
  }
}
