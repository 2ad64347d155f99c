/// A table of numbers and words, not of their printed forms.
public struct DataTable: Sendable, Equatable, Codable {
  public struct Column: Sendable, Equatable, Codable {
    /// Empty for one that needs no heading.
    public var name: String
    public var unit: String?
    /// Of its numbers; whole numbers have separators.
    public var format: NumberFormat
    /// What stands for a missing value.
    public var missing: String
    public var side: Side

    public init(
      _ name: String = "", unit: String? = nil, _ format: NumberFormat = .significant(3),
      missing: String = "-", side: Side = .right
    ) {
      self.name = name
      self.unit = unit
      self.format = format
      self.missing = missing
      self.side = side
    }

    /// A column of words, flush left.
    public static func words(_ name: String = "") -> Column { Column(name, side: .left) }
  }

  /// Where cells stand in their column.
  public enum Side: String, Sendable, Codable, CaseIterable {
    case left
    case right
  }

  public enum Cell: Sendable, Equatable, Codable {
    case number(Double)
    case integer(Int)
    /// A count that was passed, not reached.
    case moreThan(Int)
    case text(String)
    /// There is no such value.
    case missing
    /// Nothing belongs here.
    case blank

    public static func number(orMissing value: Double?) -> Cell {
      value.map(Cell.number) ?? .missing
    }
    public static func integer(orMissing value: Int?) -> Cell {
      value.map(Cell.integer) ?? .missing
    }
  }

  public enum Emphasis: String, Sendable, Codable, CaseIterable {
    case none
    case best
    case failed
  }

  public struct Row: Sendable, Equatable, Codable {
    public var cells: [Cell]
    public var emphasis: Emphasis
    /// Below the row before it, by so many levels.
    public var level: Int
    /// A line about it.
    public var caption: String?

    public init(
      _ cells: [Cell], emphasis: Emphasis = .none, level: Int = 0, caption: String? = nil
    ) {
      self.cells = cells
      self.emphasis = emphasis
      self.level = level
      self.caption = caption
    }
  }

  public let columns: [Column]
  public let rows: [Row]
  /// Whether rows are ranked, so that the best is marked where there is one.
  public let isRanked: Bool

  /// - Precondition: every row has as many cells as there are columns.
  public init(_ columns: [Column], _ rows: [Row], isRanked: Bool = false) {
    precondition(rows.allSatisfy { $0.cells.count == columns.count }, "a ragged table")
    self.columns = columns
    self.rows = rows
    self.isRanked = isRanked
  }

  /// - Throws: `DecodingError` where a row has another number of cells than there are columns.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    columns = try container.decode([Column].self, forKey: .columns)
    rows = try container.decode([Row].self, forKey: .rows)
    isRanked = try container.decode(Bool.self, forKey: .isRanked)
    let count = columns.count
    guard rows.allSatisfy({ $0.cells.count == count }) else {
      throw DecodingError.dataCorruptedError(
        forKey: .rows, in: container, debugDescription: "a row has not \(count) cells")
    }
  }

  /// A cell as people read it.
  public func text(_ cell: Cell, in column: Column) -> String {
    switch cell {
    case .number(let value): column.format.text(value)
    case .integer(let value): Wording.count(value)
    case .moreThan(let value): "> \(Wording.count(value))"
    case .text(let text): text
    case .missing: column.missing
    case .blank: ""
    }
  }
}
