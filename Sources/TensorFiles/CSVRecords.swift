import Foundation

/// The records of a CSV text, one after another, read from its bytes where they lie.
///
/// A field may be quoted; in quotes a quote is written twice. White space before a field and behind a
/// closing quote is no part of it; a record ends with a line break outside quotes. Delimiters, quotes and
/// line breaks are single bytes or CR LF, whatever combining marks follow them.
///
/// Reference: RFC 4180.
struct CSVRecords {
  /// Why the text is not CSV.
  enum Fault: Error {
    /// Something stands behind a field's closing quote.
    case quoteEnded(line: Int)
    /// The record's last quote is still open where the text ends.
    case quoteOpen(line: Int)
  }

  private let bytes: UnsafeBufferPointer<UInt8>
  private let delimiter: UInt8
  private var position = 0
  private var line = 1

  /// - Parameter bytes: UTF-8, without a byte order mark; not held on to.
  init(_ bytes: UnsafeBufferPointer<UInt8>, delimiter: UInt8) {
    self.bytes = bytes
    self.delimiter = delimiter
  }

  /// Reads the next record into `record`, whose memory is used again.
  ///
  /// - Returns: whether there was one.
  mutating func next(_ record: inout CSVRecord) throws -> Bool {
    guard position < bytes.count else { return false }
    record.begin(line: line)
    while try readField(into: &record) {}
    line += 1 + record.lineBreaks
    return true
  }

  /// - Returns: whether another field follows.
  private mutating func readField(into record: inout CSVRecord) throws -> Bool {
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 {
        position += 1
        return try readQuoted(into: &record)
      }
      if let more = endOfField(&record) { return more }
      guard let blank = CSVText.whitespace(bytes, at: position) else {
        return try readPlain(into: &record)
      }
      position += blank
    }
    record.endField()
    return false
  }

  /// From the first character of a field without quotes around it.
  private mutating func readPlain(into record: inout CSVRecord) throws -> Bool {
    var start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == 0x22 {
        // Written twice it stands for one, here too.
        guard position + 1 < bytes.count, bytes[position + 1] == 0x22 else {
          throw Fault.quoteEnded(line: record.line)
        }
        record.append(bytes[start...position])
        position += 2
        start = position
      } else if byte == delimiter || CSVText.lineBreak(bytes, at: position) != nil {
        break
      } else {
        position += 1
      }
    }
    record.append(bytes[start..<position])
    if position < bytes.count, let more = endOfField(&record) { return more }
    record.endField()
    return false
  }

  /// From behind an opening quote.
  private mutating func readQuoted(into record: inout CSVRecord) throws -> Bool {
    record.hasQuotes = true
    while true {
      guard let quote = bytes[position...].firstIndex(of: 0x22) else {
        throw Fault.quoteOpen(line: record.line)
      }
      record.append(bytes[position..<quote])
      position = quote + 1
      while position < bytes.count, bytes[position] != 0x22 {
        if let more = endOfField(&record) { return more }
        guard let blank = CSVText.whitespace(bytes, at: position) else {
          throw Fault.quoteEnded(line: record.line)
        }
        position += blank
      }
      guard position < bytes.count else {
        record.endField()
        return false
      }
      record.append(bytes[position...position])
      position += 1
    }
  }

  /// Steps over a delimiter or a line break.
  ///
  /// - Precondition: the text does not end here.
  /// - Returns: whether another field follows; nil where neither is here.
  private mutating func endOfField(_ record: inout CSVRecord) -> Bool? {
    if bytes[position] == delimiter {
      position += 1
      record.endField()
      return true
    }
    guard let length = CSVText.lineBreak(bytes, at: position) else { return nil }
    position += length
    record.endField()
    return false
  }
}

/// The fields of one record, quotes undone.
struct CSVRecord {
  /// On which it begins, counted from 1.
  private(set) var line = 0
  fileprivate var hasQuotes = false
  /// All fields' bytes, and where each ends.
  private var text: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }
  /// Whether the line holds nothing.
  var isBlank: Bool { ends.count == 1 && text.isEmpty }

  fileprivate mutating func begin(line: Int) {
    self.line = line
    hasQuotes = false
    text.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
  }

  fileprivate mutating func append(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
    text.append(contentsOf: UnsafeBufferPointer(rebasing: bytes))
  }

  fileprivate mutating func endField() { ends.append(text.count) }

  /// Line breaks in quoted fields.
  fileprivate var lineBreaks: Int {
    guard hasQuotes else { return 0 }
    return text.withUnsafeBufferPointer { text in
      (0..<count).reduce(0) { total, index in
        CSVText.lineBreaks(UnsafeBufferPointer(rebasing: text[range(of: index)])) + total
      }
    }
  }

  private func range(of index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  /// Calls `body` with each field's number and bytes, white space around it left out.
  func forEachCell(_ body: (Int, UnsafeBufferPointer<UInt8>) -> Void) {
    text.withUnsafeBufferPointer { text in
      for index in 0..<count {
        CSVText.withTrimmed(UnsafeBufferPointer(rebasing: text[range(of: index)])) {
          body(index, $0)
        }
      }
    }
  }

  /// Fields as text, white space around each left out.
  var cells: [String] {
    var cells: [String] = []
    forEachCell { cells.append(String(decoding: $1, as: UTF8.self)) }
    return cells
  }
}
