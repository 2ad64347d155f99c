/// One named column of a table, typed by what its cells hold. A missing cell is `nil`.
public struct Column: Sendable {
  public enum Cells: Sendable, Equatable {
    case numeric(Numbers)
    case text(Words)
  }

  public let name: String
  public let cells: Cells

  /// The first cell that does not fit the rest. It is an error only if the column is used, so that
  /// `--drop` can leave a spoilt column out.
  package let fault: Fault?

  /// How its numbers are written, where that is not with a point and nothing else.
  var spelling: NumberSpelling?
  /// Where its name is from.
  var origin = TableHeader.Origin.header

  package struct Fault: Sendable {
    package let row: Int
    /// What is wrong with the cell.
    package let complaint: String
    package let remedy: Remedy

    /// What can be done about it.
    package enum Remedy: Sendable {
      case mend, mendOrRemoveRow, leaveOut
    }
  }
}

extension Column {
  /// Numbers, one per row, nil where there is none: eight bytes each.
  public struct Numbers: RandomAccessCollection, Equatable, Sendable, ExpressibleByArrayLiteral {
    /// NaN where there is none; no cell of a table is read as NaN.
    let storage: [Double]

    init(storage: [Double]) { self.storage = storage }

    public init(_ numbers: some Sequence<Double?>) { storage = numbers.map { $0 ?? .nan } }

    public init(arrayLiteral elements: Double?...) { self.init(elements) }

    public var startIndex: Int { 0 }
    public var endIndex: Int { storage.count }
    public subscript(row: Int) -> Double? { storage[row].isNaN ? nil : storage[row] }

    public static func == (left: Numbers, right: Numbers) -> Bool { left.elementsEqual(right) }

    /// The first row without a number.
    var firstMissing: Int? { storage.firstIndex(where: \.isNaN) }

    /// Whether each is one more than the one before.
    var countsUp: Bool {
      storage.count > 1
        && storage.indices.dropFirst().allSatisfy { storage[$0] == storage[$0 - 1] + 1 }
    }
  }

  /// Words, one per row, nil where there is none: four bytes each, beside the words that differ.
  public struct Words: RandomAccessCollection, Equatable, Sendable, ExpressibleByArrayLiteral {
    /// Position in `distinct`; -1 where there is none.
    let codes: [Int32]
    /// In the order in which they came.
    let distinct: [String]

    init(codes: [Int32], distinct: [String]) { (self.codes, self.distinct) = (codes, distinct) }

    public init(_ words: some Sequence<String?>) {
      var list = WordList()
      for word in words { list.append(word) }
      self = list.words
    }

    public init(arrayLiteral elements: String?...) { self.init(elements) }

    public var startIndex: Int { 0 }
    public var endIndex: Int { codes.count }
    public subscript(row: Int) -> String? { codes[row] < 0 ? nil : distinct[Int(codes[row])] }

    public static func == (left: Words, right: Words) -> Bool { left.elementsEqual(right) }

    /// The first row without a word.
    var firstMissing: Int? { codes.firstIndex(of: -1) }

    /// Whether every row has a word of its own.
    var isIdentifier: Bool { distinct.count == codes.count }

    /// The words in ascending order, and each row's place among them.
    ///
    /// - Precondition: no word is missing.
    var sorted: (labels: [String], indices: [Int32]) {
      let order = distinct.indices.sorted { distinct[$0] < distinct[$1] }
      var rank = [Int32](repeating: 0, count: order.count)
      for (place, code) in order.enumerated() { rank[code] = Int32(place) }
      return (order.map { distinct[$0] }, codes.map { rank[Int($0)] })
    }
  }
}

/// Words while they are read, one after another.
struct WordList {
  private var codes: [Int32]
  private var distinct: [String] = []
  private var code: [String: Int32] = [:]

  /// Begins with so many rows without a word.
  init(missing: Int = 0) { codes = Array(repeating: -1, count: missing) }

  var words: Column.Words { Column.Words(codes: codes, distinct: distinct) }

  mutating func append(_ word: String?) {
    guard let word else {
      codes.append(-1)
      return
    }
    if let known = code[word] {
      codes.append(known)
      return
    }
    let new = Int32(distinct.count)
    code[word] = new
    distinct.append(word)
    codes.append(new)
  }
}

/// The shortest text of a number: an integer without its ".0".
package func shortest(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : "\(value)"
}
