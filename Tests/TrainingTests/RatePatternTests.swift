import Curvature
import Testing
import Training

@Suite struct RatePatternTests {
  static let parameters = Trajectories.all.definition.parameters

  private func factors(_ texts: [String], rate: Double = 0.1) throws -> [Double] {
    try StepRules.rateFactors(
      texts.map { try RatePattern($0) }, of: Self.parameters, rate: rate
    ).map { if case .scalar(let factor) = $0 { factor } else { .nan } }
  }

  @Test func factorsAndRates() throws {
    #expect(try factors([]) == [1, 1, 1, 1])
    #expect(try factors(["layer1.*=0.1x"]) == [0.1, 0.1, 1, 1])
    #expect(try factors(["*.bias=0x", "layer2.*=0.025"], rate: 0.125) == [1, 0, 0.2, 0.2])
    #expect(try factors(["layer?.weight=2x", "layer2.weight=0.5x"]) == [2, 1, 0.5, 1])
    #expect(try factors(["layer1.bias,layer2.bias=3x"]) == [1, 3, 1, 3])
  }

  @Test(arguments: ["layer1.*", "=0.1", "layer1.*=fast", "layer1.*=-1x", "layer1.*=nan", "a=1y"])
  func unreadable(_ text: String) {
    #expect(throws: RatePatternError.unreadable(text)) { try RatePattern(text) }
  }

  @Test func unknownNames() throws {
    let error = try #require(throws: RatePatternError.self) { try factors(["layer1.wieght=1x"]) }
    #expect(
      "\(error)"
        == "No parameter is named 'layer1.wieght': did you mean layer1.weight? Choose among "
        + "layer1.weight, layer1.bias, layer2.weight and layer2.bias.")
    #expect(throws: RatePatternError.noBase("layer1.*")) { try factors(["layer1.*=0.1"], rate: 0) }
    #expect(try factors(["layer1.*=0.1x"], rate: 0) == [0.1, 0.1, 1, 1])
  }

  @Test func masks() throws {
    #expect(try StepRules.decayMask(Self.parameters) == [true, false, true, false])
    #expect(
      try StepRules.decayMask(Self.parameters, sparing: "layer2.*") == [true, false, false, false])
    #expect(throws: RatePatternError.self) {
      try StepRules.decayMask(Self.parameters, sparing: "head.*")
    }
  }

  /// A layer at a rate of its own goes as if all had that rate.
  @Test func layersOfTheirOwnRate() throws {
    let problem = Trajectories.all
    var rules = StepRules()
    rules.rateFactors = try StepRules.rateFactors(
      [RatePattern("layer1.*=0x"), RatePattern("layer2.*=0.05")], of: Self.parameters, rate: 0.2)
    for name in ["muon", "soap", "prodigy", "lion", "schedule-free-adamw"] {
      let run = try TrainingRun<Double>(
        problem.objective(), OptimizerSetting(name).make(), rate: 0.2, from: problem.start,
        rules: rules)
      for _ in 0..<5 { try run.step() }
      #expect(Array(run.parameters.prefix(16)) == Array(problem.start.prefix(16)), "\(name)")
      #expect(run.parameters.dropFirst(16) != problem.start.dropFirst(16), "\(name)")
    }
  }
}
