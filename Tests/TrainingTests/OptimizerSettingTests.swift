import Foundation
import Testing
import Training

@Suite struct OptimizerSettingTests {
  private func refusal(_ json: String) -> String {
    do {
      _ = try JSONDecoder().decode(OptimizerSetting.self, from: Data(json.utf8))
      return "none"
    } catch let error as CatalogueError {
      return error.description
    } catch {
      return "\(type(of: error))"
    }
  }

  @Test(arguments: OptimizerRow.all)
  func jsonThereAndBack(_ row: OptimizerRow) throws {
    let setting = try OptimizerSetting(row.name, row.hyperparameters)
    let read = try JSONDecoder().decode(
      OptimizerSetting.self, from: JSONEncoder().encode(setting))
    #expect(read == setting)
    #expect(read.make().hyperparameters == setting.hyperparameters)
    #expect(read.make().name == row.name)
  }

  @Test func jsonIsFlat() throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    func text(_ setting: OptimizerSetting) throws -> String {
      String(decoding: try encoder.encode(setting), as: UTF8.self)
    }
    #expect(try text(OptimizerSetting()) == #"{"name":"gd"}"#)
    #expect(
      try text(OptimizerSetting("momentum", ["momentum": 0.5]))
        == #"{"momentum":0.5,"name":"momentum"}"#)
    #expect(
      try text(OptimizerSetting("adam", ["beta2": 0.5]))
        == #"{"beta1":0.9,"beta2":0.5,"bias-correction":1,"epsilon":1e-08,"name":"adam"}"#)
    let partial = try JSONDecoder().decode(
      OptimizerSetting.self, from: Data(#"{"name": "adam", "beta1": 0}"#.utf8))
    #expect(
      partial.hyperparameters == [
        "beta1": 0, "beta2": 0.999, "epsilon": 1e-8, "bias-correction": 1,
      ])
    #expect(OptimizerSetting() == (try OptimizerSetting("gd")))
    // What PyTorch calls it is understood, and written by the catalogue's name.
    #expect(try text(OptimizerSetting("sgd")) == #"{"name":"gd"}"#)
  }

  @Test func refusals() {
    let names = OptimizerCatalogue.all.map(\.name).joined(separator: ", ")
    #expect(
      refusal(#"{"name": "ggd"}"#)
        == "There is no optimizer 'ggd': did you mean gd? Choose one of \(names).")
    #expect(
      refusal(#"{"name": "gd", "momentum": 0.9}"#)
        == "The optimizer gd has no 'momentum': leave it out.")
    #expect(
      refusal(#"{"name": "adam", "momentum": 0.9}"#)
        == "The optimizer adam has no 'momentum': it has beta1, beta2, epsilon, "
        + "bias-correction.")
    #expect(
      refusal(#"{"name": "momentum", "momentum": 1}"#)
        == "The momentum of the optimizer momentum is 1.0, but it must be at least 0 and below 1.")
    #expect(
      refusal(#"{"name": "adam", "epsilon": 0}"#)
        == "The epsilon of the optimizer adam is 0.0, but it must be a number above 0.")
    #expect(refusal(#"{"name": "adam", "beta1": "0.9"}"#) == "DecodingError")
    #expect(refusal(#"{"momentum": 0.9}"#) == "DecodingError")
    #expect(refusal(#"{"name": "momentum", "momentum": 0}"#) == "none")
  }

  @Test func ranges() {
    let rows: [(ValueRange, String, inside: [Double], outside: [Double])] = [
      (.atLeast(0), "0 or more", [0, 1e300], [-1e-300, .infinity, .nan]),
      (.above(0.5), "a number above 0.5", [0.6], [0.5, .infinity, .nan]),
      (.from(-1, below: 1), "at least -1 and below 1", [-1, 0.999], [1, -1.001, .nan]),
      (.between(0, 2), "between 0 and 2", [1e-300, 1.999], [0, 2, .nan]),
    ]
    for (range, text, inside, outside) in rows {
      #expect(range.description == text)
      #expect(inside.allSatisfy(range.contains) && !outside.contains(where: range.contains))
    }
  }
}
