/// What is shown to people, as values: a renderer turns it into text for a terminal, another into a page.
///
/// Words are for people and numbers stay numbers; a renderer formats them and decides nothing else.
public struct Document: Sendable, Equatable, Codable {
  /// What it is about.
  public var title: String?
  public var sections: [Section]

  public init(title: String? = nil, sections: [Section] = []) {
    self.title = title
    self.sections = sections
  }

  public struct Section: Sendable, Equatable, Codable {
    public var heading: String?
    public var blocks: [Block]

    public init(_ heading: String? = nil, _ blocks: [Block]) {
      self.heading = heading
      self.blocks = blocks
    }
  }

  public enum Block: Sendable, Equatable, Codable {
    case paragraph(Paragraph)
    /// One remark each.
    case notes([String])
    case table(DataTable)
    case figure(Figure)
    case checks([Check])

    /// A paragraph of its own.
    public static func text(_ text: String) -> Block { .paragraph(Paragraph(text)) }

    /// How what stands beside it is to be read.
    public static func explanation(_ text: String) -> Block {
      .paragraph(Paragraph(text, isExplanation: true))
    }
  }

  public struct Paragraph: Sendable, Equatable, Codable {
    /// The word that it begins with: "Why".
    public var lead: String?
    public var tone: Tone
    public var text: String
    /// Whether it explains the block beside it.
    public var isExplanation: Bool

    public init(
      _ text: String, lead: String? = nil, tone: Tone = .plain, isExplanation: Bool = false
    ) {
      self.text = text
      self.lead = lead
      self.tone = tone
      self.isExplanation = isExplanation
    }
  }

  /// What a paragraph's lead word stands for.
  public enum Tone: String, Sendable, Codable, CaseIterable {
    case plain
    /// What is in the way.
    case caution
    /// What is so.
    case fact
    /// What to do.
    case advice
  }

  /// Whether something is as it should be, and a line about it.
  public struct Check: Sendable, Equatable, Codable {
    public var isPassed: Bool
    public var text: String

    public init(_ isPassed: Bool, _ text: String) {
      self.isPassed = isPassed
      self.text = text
    }
  }
}
