import Foundation

/// Valid files, damaged one seeded way after another, to show that a reader of untrusted bytes always
/// reads or refuses in one sentence.
public struct MutationFuzz: Sendable {
  private let seed: UInt64
  private let corpus: [[UInt8]]

  /// - Precondition: `corpus` holds at least one file, none of them empty.
  public init(seed: UInt64, corpus: [[UInt8]]) {
    precondition(!corpus.isEmpty && corpus.allSatisfy { !$0.isEmpty })
    self.seed = seed
    self.corpus = corpus
  }

  /// How many cases to run: `EIGENSTEP_FUZZ`, or `standard` without it.
  public static func count(standard: Int) -> Int {
    ProcessInfo.processInfo.environment["EIGENSTEP_FUZZ"].flatMap { Int($0) } ?? standard
  }

  /// What came of the cases.
  public struct Report: Sendable {
    public var accepted = 0
    public var refused = 0
    /// Cases that ended in an error without a sentence, with what it said.
    public var speechless: [String] = []
    /// The case that took longest, and how long.
    public var longestCase = 0
    public var longest = Duration.zero
  }

  /// Gives each of the first `count` mutants to `read`, which must return or throw.
  public func run(_ count: Int, read: ([UInt8]) throws -> Void) -> Report {
    var report = Report()
    let clock = ContinuousClock()
    for index in 0..<count {
      let bytes = mutant(index)
      let start = clock.now
      do {
        try read(bytes)
        report.accepted += 1
      } catch {
        report.refused += 1
        let text = String(describing: error)
        if !MutationFuzz.isSentence(text) { report.speechless.append("case \(index): \(text)") }
      }
      let time = clock.now - start
      if time > report.longest { (report.longest, report.longestCase) = (time, index) }
    }
    return report
  }

  /// One line that says where, what and ends with a full stop.
  private static func isSentence(_ text: String) -> Bool {
    text.contains(": ") && text.hasSuffix(".") && !text.contains("\n") && text.count < 2000
  }

  /// The mutant of that number: a file of the corpus after one to four operations. Depends on the seed
  /// and the number alone.
  public func mutant(_ index: Int) -> [UInt8] {
    var random = SplitMix(state: seed &+ UInt64(index) &* 0xD134_2543_DE82_EF95)
    var bytes = corpus.randomElement(using: &random)!
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      Operation.allCases.randomElement(using: &random)!
        .apply(to: &bytes, corpus: corpus, using: &random)
    }
    return bytes
  }
}

private enum Operation: CaseIterable {
  case flipBit, setByte, truncate, duplicate, delete, splice, insertOnes, enlargeLength,
    enlargeDigits

  func apply(to bytes: inout [UInt8], corpus: [[UInt8]], using random: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let position = place(in: bytes, using: &random)
    func chunk(_ bytes: [UInt8]) -> Range<Int> {
      position..<min(bytes.count, position + Int.random(in: 1...64, using: &random))
    }
    switch self {
    case .flipBit: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case .setByte: bytes[position] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF].randomElement(using: &random)!
    case .truncate: bytes.removeSubrange(position...)
    case .duplicate:
      let copies = Array(
        repeatElement(bytes[chunk(bytes)], count: .random(in: 1...3, using: &random)).joined())
      bytes.insert(contentsOf: copies, at: place(in: bytes, using: &random))
    case .delete: bytes.removeSubrange(chunk(bytes))
    case .splice:
      let other = corpus.randomElement(using: &random)!
      bytes = Array(bytes[..<position]) + other[place(in: other, using: &random)...]
    case .insertOnes:
      let count = Int.random(in: 1...16, using: &random)
      bytes.insert(contentsOf: [UInt8](repeating: 0xFF, count: count), at: position)
    case .enlargeLength:
      let width = [2, 4, 8].randomElement(using: &random)!
      let values: [UInt64] = [
        0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 40, .max >> 1, 1 << 63, .max,
        UInt64(bytes.count), UInt64(bytes.count) - 1, UInt64(bytes.count) + 1,
      ]
      let value = values.randomElement(using: &random)!
      for offset in 0..<min(width, bytes.count - position) {
        bytes[position + offset] = UInt8(truncatingIfNeeded: value >> UInt64(8 * offset))
      }
    case .enlargeDigits:
      let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
      guard let start = bytes[position...].firstIndex(where: digits.contains) else { return }
      let end = bytes[start...].firstIndex { !digits.contains($0) } ?? bytes.count
      let number = [
        "-1", "0", "4294967296", "1000000000000", "9223372036854775807", "18446744073709551616",
        "1e9", "",
      ].randomElement(using: &random)!
      bytes.replaceSubrange(start..<end, with: number.utf8)
    }
  }

  /// Any position; often one near the beginning or the end, where headers and directories are.
  private func place(in bytes: [UInt8], using random: inout SplitMix) -> Int {
    let near = min(256, bytes.count)
    return switch Int.random(in: 0..<4, using: &random) {
    case 0: .random(in: 0..<near, using: &random)
    case 1: bytes.count - 1 - .random(in: 0..<near, using: &random)
    default: .random(in: 0..<bytes.count, using: &random)
    }
  }
}

/// Reference: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
