import SwiftProtobuf

/// The messages of `event.proto`.
struct EventMessage: Sendable, Equatable {
  var wallTime = 0.0
  var step: Int64 = 0
  var fileVersion: String?
  var summary: SummaryMessage?
  var sessionLog: SessionLogMessage?
  var unknownFields = UnknownStorage()

  init() {}
}

struct SummaryMessage: Sendable, Equatable {
  var value: [SummaryValueMessage] = []
  var unknownFields = UnknownStorage()

  init() {}
}

struct SummaryValueMessage: Sendable, Equatable {
  var tag = ""
  var simpleValue: Float?
  var unknownFields = UnknownStorage()

  init() {}
}

struct SessionLogMessage: Sendable, Equatable {
  var status: Int32 = 0
  var unknownFields = UnknownStorage()

  init() {}
}

extension EventMessage: Message, _MessageImplementationBase, _ProtoNameProviding {
  static let protoMessageName = "eigenstep.log.Event"
  static let _protobuf_nameMap = _NameMap(
    bytecode:
      "\0\u{3}wall_time\0\u{1}step\0\u{3}file_version\0\u{2}\u{2}summary\0\u{4}\u{2}session_log\0")

  mutating func decodeMessage<D: Decoder>(decoder: inout D) throws {
    while let number = try decoder.nextFieldNumber() {
      switch number {
      case 1: try decoder.decodeSingularDoubleField(value: &wallTime)
      case 2: try decoder.decodeSingularInt64Field(value: &step)
      case 3: try decoder.decodeSingularStringField(value: &fileVersion)
      case 5: try decoder.decodeSingularMessageField(value: &summary)
      case 7: try decoder.decodeSingularMessageField(value: &sessionLog)
      default: break
      }
    }
  }

  func traverse<V: Visitor>(visitor: inout V) throws {
    if wallTime != 0 { try visitor.visitSingularDoubleField(value: wallTime, fieldNumber: 1) }
    if step != 0 { try visitor.visitSingularInt64Field(value: step, fieldNumber: 2) }
    if let fileVersion {
      try visitor.visitSingularStringField(value: fileVersion, fieldNumber: 3)
    }
    if let summary { try visitor.visitSingularMessageField(value: summary, fieldNumber: 5) }
    if let sessionLog { try visitor.visitSingularMessageField(value: sessionLog, fieldNumber: 7) }
    try unknownFields.traverse(visitor: &visitor)
  }
}

extension SummaryMessage: Message, _MessageImplementationBase, _ProtoNameProviding {
  static let protoMessageName = "eigenstep.log.Summary"
  static let _protobuf_nameMap = _NameMap(bytecode: "\0\u{1}value\0")

  mutating func decodeMessage<D: Decoder>(decoder: inout D) throws {
    while let number = try decoder.nextFieldNumber() {
      if number == 1 { try decoder.decodeRepeatedMessageField(value: &value) }
    }
  }

  func traverse<V: Visitor>(visitor: inout V) throws {
    if !value.isEmpty { try visitor.visitRepeatedMessageField(value: value, fieldNumber: 1) }
    try unknownFields.traverse(visitor: &visitor)
  }
}

extension SummaryValueMessage: Message, _MessageImplementationBase, _ProtoNameProviding {
  static let protoMessageName = "eigenstep.log.Summary.Value"
  static let _protobuf_nameMap = _NameMap(bytecode: "\0\u{1}tag\0\u{3}simple_value\0")

  mutating func decodeMessage<D: Decoder>(decoder: inout D) throws {
    while let number = try decoder.nextFieldNumber() {
      switch number {
      case 1: try decoder.decodeSingularStringField(value: &tag)
      case 2: try decoder.decodeSingularFloatField(value: &simpleValue)
      default: break
      }
    }
  }

  func traverse<V: Visitor>(visitor: inout V) throws {
    if !tag.isEmpty { try visitor.visitSingularStringField(value: tag, fieldNumber: 1) }
    // Zero too: a value without it is none.
    if let simpleValue { try visitor.visitSingularFloatField(value: simpleValue, fieldNumber: 2) }
    try unknownFields.traverse(visitor: &visitor)
  }
}

extension SessionLogMessage: Message, _MessageImplementationBase, _ProtoNameProviding {
  static let protoMessageName = "eigenstep.log.SessionLog"
  static let _protobuf_nameMap = _NameMap(bytecode: "\0\u{1}status\0")

  mutating func decodeMessage<D: Decoder>(decoder: inout D) throws {
    while let number = try decoder.nextFieldNumber() {
      if number == 1 { try decoder.decodeSingularInt32Field(value: &status) }
    }
  }

  func traverse<V: Visitor>(visitor: inout V) throws {
    if status != 0 { try visitor.visitSingularInt32Field(value: status, fieldNumber: 1) }
    try unknownFields.traverse(visitor: &visitor)
  }
}
