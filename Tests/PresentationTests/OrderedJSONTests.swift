import Foundation
import Presentation
import Testing

@Suite struct OrderedJSONTests {
  enum Verdict: String, Codable {
    case noStableRate = "no-stable-rate"
  }

  /// Keys in an order of their own.
  struct Pairs: Encodable {
    struct Name: CodingKey {
      let stringValue: String
      var intValue: Int? { nil }
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }

    let items: [(key: String, value: Double)]

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Name.self)
      for (key, value) in items { try container.encode(value, forKey: Name(stringValue: key)) }
    }
  }

  struct Sample: Codable, Equatable {
    var zebra: Double?
    var apple: Int?
    var word: String?
    var flag: Bool?
    var verdict: Verdict?
    var rows: [[Double]] = []
    var nested: [String?] = []
    var wide: UInt64?
    var float: Float?
  }

  @Test func `keys keep their order and missing values are null`() throws {
    let text = try OrderedJSON.string(
      Sample(rows: [[1, .nan], []], nested: [nil, "a"]), indented: false)
    #expect(
      text
        == #"{"zebra":null,"apple":null,"word":null,"flag":null,"verdict":null,"#
        + #""rows":[[1.0,null],[]],"nested":[null,"a"],"wide":null,"float":null}"#)
  }

  @Test func `values read back as they were`() throws {
    let sample = Sample(
      zebra: 0.1 + 0.2, apple: Int.max, word: "line\n\"quoted\" \\ tab\t \u{1} é 😀", flag: true,
      verdict: .noStableRate,
      rows: [[2.2250738585072014e-308, 1.7976931348623157e308, -0.0, 1e22, 1e-7]],
      wide: .max, float: 0.1)
    let text = try OrderedJSON.string(sample)
    #expect(try JSONDecoder().decode(Sample.self, from: Data(text.utf8)) == sample)
    #expect(text.contains("\"verdict\": \"no-stable-rate\""))
    #expect(text.contains("0.30000000000000004"))
  }

  @Test func `numbers that are not finite become null`() throws {
    let text = try OrderedJSON.string(["a": Double.infinity], indented: false)
    #expect(text == #"{"a":null}"#)
    #expect(try OrderedJSON.string([Double.nan, -.infinity], indented: false) == "[null,null]")
    #expect(try OrderedJSON.string([Float.nan], indented: false) == "[null]")
  }

  @Test func `a long array and many keys come out whole and in order`() throws {
    let numbers = (0..<20_000).map { Double($0) / 8 }
    let text = try OrderedJSON.string(numbers, indented: false)
    #expect(text == "[" + numbers.map { "\($0)" }.joined(separator: ",") + "]")
    let pairs = Pairs(items: numbers.map { (key: "k\($0)", value: $0) })
    #expect(
      try OrderedJSON.string(pairs, indented: false)
        == "{" + numbers.map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}")
  }

  @Test func `indented text is plain to read`() throws {
    let text = try OrderedJSON.string(Sample(apple: 1, nested: ["b"]))
    #expect(text.hasPrefix("{\n  \"zebra\": null,\n  \"apple\": 1,\n"))
    #expect(text.contains("\"rows\": [],\n  \"nested\": [\n    \"b\"\n  ],"))
  }
}
