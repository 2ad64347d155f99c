import Foundation
import MutationFuzz
import Testing

@testable import TensorFiles

/// The reader of CSV bytes against one that goes from character to character.
@Suite("Reading CSV")
struct CSVReadingTests {
  /// Every rule at least once.
  static let corpus = [
    "a,b\n1,2\n3,4\n", "a;\"b,c\"\n1;2\n3;4\n", "a\tb\n1\t2\n3\t4\n", "a\n1\n2\n", "a,b\n1,2\n1,",
    "a,b\r\n1,x\r\n2,y\r\n", "a,b\r1,x\r2,y", "\u{FEFF}a,b\n1,2\n", "\u{FEFF}\u{FEFF}a,b\n1,2\n",
    "\"a, first\",b\n1,\"x \"\"y\"\", z\"\n2,\"q\"\n", "a,b\n1,\"x\ny\"\n2,z\n",
    " a , b\n 1 , x \n2,y\n", "\na,b\n\n1,2\n\n3,4\n\n", "a,b\n,x\nNA,?\n?,y\nnan,z\n1.5,w\n",
    "a\n-1\n+2\n.5\n1e3\n-2.5E-3\n1e308\n007\n", "a\n0x1F\n1_000\n12/05\n--\n",
    "größe,色\n1,é\n2,ö\n", "a;y\n1,5;2\n2,5;2\n", "a,y\nx,1\n3,0\ny,1\n4,0\n3,1\n",
    "a,b\n1\u{A0},2\n\u{3000}3 , 4\u{2003}\n5,6\n\u{85}7,\u{2028}8\n",
    "a,b\n1,\"x\" ,\n2, \"y\"\n3,\"a\" \"b\"\n4,q\"\"r\n", "a,b\n1,\"2\n3,4\n",
    "\"a\nb\",c\n1,\"2\r\n\r\"\n\"\",3\n", "a\n\"\"\n\" \"\n1\n\u{1}\n",
  ]

  /// What the reader makes of a text, as the slow one says it.
  static func outcome(_ text: String) -> NaiveCSV.Outcome {
    var text = text
    return text.withUTF8 { bytes in
      var records = CSVRecords(bytes, delimiter: CSVText.delimiter(of: bytes))
      var (record, rows) = (CSVRecord(), [NaiveCSV.Row]())
      do {
        while try records.next(&record) {
          if !record.isBlank { rows.append(.init(line: record.line, cells: record.cells)) }
        }
      } catch CSVRecords.Fault.quoteEnded(let line) {
        return .quoteEnded(line: line)
      } catch CSVRecords.Fault.quoteOpen(let line) {
        return .quoteOpen(line: line)
      } catch {
        Issue.record(error)
      }
      return .rows(rows)
    }
  }

  @Test("valid texts", arguments: corpus)
  func valid(_ text: String) { #expect(Self.outcome(text) == NaiveCSV.read(text)) }

  /// Damage in whole characters, so that the text stays text. `EIGENSTEP_FUZZ=20000` tries so many.
  @Test("damaged texts", .timeLimit(.minutes(5)))
  func damaged() {
    let parts: [Character] = [
      ",", ",", ";", "\t", "\n", "\n", "\r\n", "\r", "\"", "\"", " ", "\u{A0}", "\u{2028}", "1",
      "-", "é", "\u{B}", "\u{1}",
    ]
    var (refused, rows) = (0, 0)
    let count = MutationFuzz.count(standard: 1000)
    for index in 0..<count {
      var random = Generator(state: UInt64(index))
      var characters = Array(Self.corpus.randomElement(using: &random)!)
      if index % 4 == 0 {
        characters = (0..<40).map { _ in parts.randomElement(using: &random)! }
      }
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<characters.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: characters.insert(parts.randomElement(using: &random)!, at: place)
        case 1: characters[place] = parts.randomElement(using: &random)!
        default:
          let part = characters[place..<min(characters.count, place + 9)]
          characters.insert(contentsOf: Array(part), at: place)
        }
      }
      let text = String(characters)
      let expected = NaiveCSV.read(text)
      #expect(Self.outcome(text) == expected, "case \(index): \(text.debugDescription)")
      if case .rows = expected { rows += 1 } else { refused += 1 }
    }
    // Else the cases do not reach what they are for.
    #expect(refused > count / 10 && rows > count / 10)
  }

  /// Damage in bytes: read, or refused in a sentence.
  @Test("damaged files", .timeLimit(.minutes(5)))
  func damagedFiles() {
    let report = MutationFuzz(seed: 18, corpus: Self.corpus.map { Array($0.utf8) })
      .run(MutationFuzz.count(standard: 500)) { bytes in
        let table = try Table(TableFile(bytes: bytes, path: "in/damaged.csv"))
        precondition(table.columns.allSatisfy { $0.cells.count == table.rowCount })
        precondition(table.lines.count == table.rowCount && table.lines == table.lines.sorted())
        do {
          _ = try TabularData(table: table, target: table.columns[0].name, missing: .mean)
        } catch let error as TableError {
          // A table of a few damaged rows seldom fits a model; what is said of it is a sentence too.
          precondition(error.description.hasSuffix("."))
        }
      }
    #expect(report.speechless == [])
    #expect(report.refused > 100 && report.accepted > 50, "\(report)")
  }

  /// A cut character, at every place of the parts in which a file is decoded, is no text; a whole one is.
  @Test("UTF-8 is checked in parts")
  func parts() throws {
    for offset in -4...2 {
      var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) + 8)
      bytes.replaceSubrange(0..<2, with: "a\n".utf8)
      let start = (1 << 20) + offset
      bytes.replaceSubrange(start..<start + 4, with: "😀".utf8)
      let table = try Table(TableFile(bytes: bytes, path: "t.csv"))
      #expect(table.rowCount == 1)
      bytes[start + 3] = UInt8(ascii: "x")
      #expect(throws: TableError.self) { try TableFile(bytes: bytes, path: "t.csv") }
    }
  }

  /// RFC 4180 knows bytes: a mark that combines with what stands before it does not hide a delimiter, a quote
  /// or a line break.
  @Test("combining marks")
  func marks() throws {
    let table = try readTable("a,b\n1,\u{301}x\n\"\u{301}2\",y\n")
    #expect(table.columns.map(\.cells) == [words("1", "\u{301}2"), words("\u{301}x", "y")])
  }

  /// What ends a text does not look like an open quote; a control character is a cell like others.
  @Test("other breaks and controls")
  func otherBreaks() throws {
    #expect(try readTable("a,b\n1,2\u{C}").columns[1].cells == words("2\u{C}"))
    #expect(try readTable("a\nx\n\u{1}\n").columns[0].cells == words("x", "\u{1}"))
    #expect(try readTable("a,b\n1,\"\n\u{2028}\"\n2,x\n").lines == [2, 4])
  }

  /// Words that follow numbers are written as they stood, not as the numbers read.
  @Test("numbers before the first word keep their text")
  func lateWords() throws {
    let late = try readTable("a,b,c\n007,1,\n1.50,2,x\n?,3,2.0\n x ,4,y\n")
    #expect(late.columns[0].cells == words("007", "1.50", nil, "x"))
    #expect(late.columns[1].cells == numbers(1, 2, 3, 4))
    #expect(late.columns[2].cells == words(nil, "x", "2.0", "y"))
  }
}

extension Column.Cells {
  fileprivate var count: Int {
    switch self {
    case .numeric(let cells): cells.count
    case .text(let cells): cells.count
    }
  }
}

/// Reference: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}
