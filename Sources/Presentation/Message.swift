/// A sentence that may name options. A program knows an option by the field of a request, the user of the
/// command by its flag: `leave it out with \(option: .dropped, "p0")` reads "leave it out with
/// `dropped: p0`" to the one and "leave it out with --drop p0" to the other.
public struct Message: Sendable, Hashable {
  /// Whose names options have.
  public enum Wording: Sendable {
    /// Those of a request's fields: `` `dropped: p0` ``.
    case fields
    /// Those of the command's flags: `--drop p0`.
    case flags
  }

  private enum Piece: Sendable, Hashable {
    case text(String)
    case option(Option, value: String?, isCode: Bool)
  }

  private var pieces: [Piece]

  /// A sentence that names no option.
  public init(_ text: String) { pieces = [.text(text)] }

  public func text(_ wording: Wording) -> String {
    pieces.map { piece in
      switch (piece, wording) {
      case (.text(let text), _): return text
      case (.option(let option, let value, _), .fields):
        return "`\(option.field)\(value.map { ": \($0)" } ?? "")`"
      case (.option(let option, let value, let isCode), .flags):
        let flag = "\(option.flag)\(value.map { " \($0)" } ?? "")"
        return isCode ? "`\(flag)`" : flag
      }
    }.joined()
  }

  /// Likewise on one line and without commands to the terminal: see `Printable`.
  package var printable: Message {
    var message = self
    message.pieces = pieces.map { piece in
      switch piece {
      case .text(let text): .text(Printable.line(text))
      case .option(let option, let value, let isCode):
        .option(option, value: value.map(Printable.line), isCode: isCode)
      }
    }
    return message
  }

  public static func + (first: Message, second: Message) -> Message {
    var message = first
    message.append(second)
    return message
  }

  private mutating func append(_ other: Message) {
    for piece in other.pieces { append(piece) }
  }

  /// Texts that follow one another are one, so that equal sentences are equal.
  private mutating func append(_ piece: Piece) {
    if case .text(let text) = piece, case .text(let last)? = pieces.last {
      pieces[pieces.count - 1] = .text(last + text)
    } else {
      pieces.append(piece)
    }
  }
}

extension Message: CustomStringConvertible {
  /// In the words of a request's fields.
  public var description: String { text(.fields) }
}

extension Message: ExpressibleByStringInterpolation {
  public init(stringLiteral value: String) { self.init(value) }

  public init(stringInterpolation: StringInterpolation) { self = stringInterpolation.message }

  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var message = Message("")

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ literal: String) { message.append(.text(literal)) }

    public mutating func appendInterpolation<T>(_ value: T) {
      message.append(.text("\(value)"))
    }

    public mutating func appendInterpolation(_ part: Message) { message.append(part) }

    /// - Parameters:
    ///   - value: what it is set to, if that is said.
    ///   - isCode: whether a flag is set in backticks too.
    public mutating func appendInterpolation(
      option: Option, _ value: String? = nil, isCode: Bool = false
    ) {
      message.append(.option(option, value: value, isCode: isCode))
    }
  }
}

extension Message {
  /// What messages tell to change.
  public enum Option: String, Sendable, CaseIterable {
    case batchAxis, batches, checkpoints, data, dropped, executor, features, frozen, heldOut, kept,
      l2
    case clipNorm, clipValue, guarding, log, rateFile, rates, seed, then, trackers, undecayed,
      warmUp
    case weightDecay
    case loss, lossOutput, memory, missing, model
    case optimizer, output, parameters, patience, precision, preconditioning, rate, resumes, samples
    case saved, schedule, standardised, steps, switching, target
    /// The listing of a model's stored tensors, which is no field.
    case listing

    /// The last part of the field's place in a request.
    public var field: String {
      switch self {
      case .listing: "ModelParameters"
      default: rawValue
      }
    }

    public var flag: String {
      switch self {
      case .batchAxis: "--batch-axis"
      case .batches: "--batch"
      case .checkpoints: "--checkpoint"
      case .clipNorm: "--clip-norm"
      case .clipValue: "--clip-value"
      case .guarding: "--guard"
      case .rateFile: "--rate-file"
      case .rates: "--rate"
      case .trackers: "--track"
      case .undecayed: "--no-decay"
      case .warmUp: "--warm-up"
      case .weightDecay: "--weight-decay"
      case .dropped: "--drop"
      case .frozen: "--freeze"
      case .heldOut: "--held-out"
      case .kept: "--keep"
      case .listing: "--list-parameters"
      case .lossOutput: "--loss-output"
      case .preconditioning: "--precondition"
      case .rate: "--lr"
      case .resumes: "--resume"
      case .saved: "--save"
      case .standardised: "--standardise"
      case .steps: "--at"
      case .switching: "--switch"
      case .data, .executor, .features, .l2, .log, .loss, .memory, .missing, .model, .optimizer,
        .output,
        .parameters, .patience, .precision, .samples, .schedule, .seed, .target, .then:
        "--\(rawValue)"
      }
    }
  }
}

/// An error that is one sentence, which may name options.
public protocol MessageError: Error, CustomStringConvertible {
  var message: Message { get }
}

extension MessageError {
  /// In the words of a request's fields.
  public var description: String { message.text(.fields) }
}
