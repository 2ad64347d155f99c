import Foundation
import LinearMaps

/// A trainer's state with what it belongs to, as a file holds it.
///
/// The bytes are: eight that say what this is; the length of the header (8 bytes, little-endian); the header, JSON;
/// the arrays that it names, one after another, each number as it is in memory; the checksum (8 bytes) of all
/// before. So no number is rounded, and a file that was cut or changed is known for one.
public struct Checkpoint<Scalar: LinearMapScalar>: Sendable, Equatable {
  /// Of model, data and start: see `Fingerprint`.
  public var fingerprint: String
  /// The request that the run was started by, as JSON.
  public var request: String
  public var state: TrainerState<Scalar>
  /// What else belongs to the run, as JSON by name: how the data were prepared, what a chosen rate rests on.
  public var records: [String: String]

  public init(
    fingerprint: String, request: String, state: TrainerState<Scalar>,
    records: [String: String] = [:]
  ) {
    self.fingerprint = fingerprint
    self.request = request
    self.state = state
    self.records = records
  }
}

/// What a checkpoint is of, whatever it is in.
public struct CheckpointOrigin: Sendable, Equatable {
  /// Of model, data and start: see `Fingerprint`.
  public var fingerprint: String
  /// The request that the run was started by, as JSON.
  public var request: String
  /// `float32` or `float64`.
  public var precision: String

  /// - Throws: `CheckpointError.damaged`.
  public init(_ bytes: Data) throws {
    let header = try CheckpointHeader.read(Data(bytes)).header
    (fingerprint, request, precision) = (header.fingerprint, header.request, header.precision)
  }
}

/// Why bytes are no checkpoint of a run: to be read after its name.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It was cut off or changed, or never was one.
  case damaged(String)
  /// It is whole, and of another run.
  case foreign(String)

  public var description: String {
    switch self {
    case .damaged(let reason): "is damaged: \(reason)"
    case .foreign(let reason): "is of another run: \(reason)"
    }
  }
}

/// The parts of a checkpoint that are text.
private struct CheckpointHeader: Codable {
  struct NumberArray: Codable {
    var name: String
    /// Bytes of a number.
    var width: Int
    var count: Int
  }

  struct Run: Codable {
    var optimizer: String
    var hyperparameters: [String: Double]
    var rate: Double
    var stepCount: Int
    var samples: SampleSource?
  }

  struct Stopping: Codable {
    var patience: Int
    var best: Double?
    var bestStep: Int
    var stale: Int
  }

  var schema = Self.currentSchema
  var precision: String
  var fingerprint: String
  var request: String
  var records: [String: String]?
  var run: Run
  var rate: Double?
  var rateFactor: Double
  var lossSum: Double
  var lossCount: Int
  var trackerCount: Int
  var isWatched: Bool
  var stopping: Stopping?
  var history: TrainingHistory
  var kept: [KeptPoint]?
  var ending: TrainingEnding?
  var arrays: [NumberArray] = []

  static let currentSchema = "eigenstep.checkpoint/1"
  static var mark: [UInt8] { Array("EGNSTEP1".utf8) }

  /// The header of bytes that are whole, and where the arrays behind it begin.
  ///
  /// - Throws: `CheckpointError.damaged`.
  static func read(_ bytes: Data) throws -> (header: CheckpointHeader, end: Int) {
    let start = mark.count + 8
    guard bytes.count >= start + 8, Array(bytes.prefix(mark.count)) == mark else {
      throw CheckpointError.damaged(
        bytes.count < start + 8 ? "it has \(bytes.count) bytes alone" : "it does not begin as one")
    }
    let end = bytes.count - 8
    guard Fingerprint.hash(bytes[..<end]) == bytes.littleEndian(at: end) else {
      throw CheckpointError.damaged("its checksum is not that of its \(bytes.count) bytes")
    }
    let length = bytes.littleEndian(at: mark.count)
    guard length <= UInt64(end - start) else {
      throw CheckpointError.damaged("its header would be \(length) bytes long")
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .checkpoint
    let headerEnd = start + Int(length)
    do {
      return (try decoder.decode(CheckpointHeader.self, from: bytes[start..<headerEnd]), headerEnd)
    } catch {
      throw CheckpointError.damaged("its header cannot be read, as one of another version")
    }
  }
}

extension Checkpoint {
  /// - Throws: what the encoder of the header throws.
  public func bytes() throws -> Data {
    let memories = state.memories
    let run = state.run
    var header = CheckpointHeader(
      precision: Scalar.precisionName, fingerprint: fingerprint, request: request,
      records: records.isEmpty ? nil : records,
      run: .init(
        optimizer: run.optimizer, hyperparameters: run.hyperparameters, rate: run.rate,
        stepCount: run.stepCount, samples: run.samples),
      rate: memories.rate, rateFactor: memories.rateFactor, lossSum: memories.lossSum,
      lossCount: memories.lossCount,
      trackerCount: memories.trackers.count, isWatched: memories.watch != nil,
      stopping: memories.stopping.map {
        .init(patience: $0.patience, best: $0.best, bestStep: $0.bestStep, stale: $0.stale)
      }, history: memories.history, kept: memories.kept, ending: state.ending)
    var numbers = Data()
    func add<Number>(_ name: String, _ values: [Number]) {
      header.arrays.append(
        .init(name: name, width: MemoryLayout<Number>.size, count: values.count))
      values.withUnsafeBytes { numbers.append(contentsOf: $0) }
    }
    add("parameters", run.parameters)
    add("state", run.state)
    add("numbers", run.numbers)
    add("schedule", memories.schedule)
    add("watch", memories.watch ?? [])
    add("best", memories.stopping?.bestParameters ?? [])
    for (place, memory) in [("measuring", memories.measuring)]
      + memories.trackers.enumerated().map({ ("tracker.\($0)", $1) })
    {
      for (key, values) in memory.vectors.sorted(by: { $0.key < $1.key }) {
        add("\(place).vector.\(key)", values)
      }
      for (key, value) in memory.numbers.sorted(by: { $0.key < $1.key }) {
        add("\(place).number.\(key)", [value])
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    encoder.nonConformingFloatEncodingStrategy = .checkpoint
    let text = try encoder.encode(header)
    var bytes = Data(CheckpointHeader.mark)
    bytes.append(littleEndian: UInt64(text.count))
    bytes.append(text)
    bytes.append(numbers)
    bytes.append(littleEndian: Fingerprint.hash(bytes))
    return bytes
  }

  /// - Throws: `CheckpointError`.
  public init(_ bytes: Data) throws {
    let bytes = Data(bytes)
    let (header, headerEnd) = try CheckpointHeader.read(bytes)
    let end = bytes.count - 8
    guard header.schema == CheckpointHeader.currentSchema else {
      throw CheckpointError.foreign("its schema is '\(header.schema)'")
    }
    guard header.precision == Scalar.precisionName else {
      throw CheckpointError.foreign(
        "it is in \(header.precision), and this run in \(Scalar.precisionName)")
    }
    self.init(
      header, try NumberArrays(header.arrays, in: bytes[headerEnd..<end]))
  }

  private init(_ header: CheckpointHeader, _ arrays: NumberArrays) {
    func memory(_ place: String) -> TrackerMemory {
      var memory = TrackerMemory()
      for name in arrays.names {
        let (vector, number) = ("\(place).vector.", "\(place).number.")
        if name.hasPrefix(vector) {
          memory.vectors[String(name.dropFirst(vector.count))] = arrays.values(name)
        } else if name.hasPrefix(number) {
          let values: [Double] = arrays.values(name)
          memory.numbers[String(name.dropFirst(number.count))] = values.first
        }
      }
      return memory
    }
    var run = TrainingState<Scalar>(
      optimizer: header.run.optimizer, hyperparameters: header.run.hyperparameters,
      rate: header.run.rate, stepCount: header.run.stepCount, samples: header.run.samples,
      parameters: arrays.values("parameters"), state: arrays.values("state"))
    run.numbers = arrays.values("numbers")
    var memories = TrainerMemories<Scalar>()
    memories.schedule = arrays.values("schedule")
    memories.watch = header.isWatched ? arrays.values("watch") : nil
    memories.measuring = memory("measuring")
    memories.trackers = (0..<header.trackerCount).map { memory("tracker.\($0)") }
    memories.rate = header.rate
    memories.rateFactor = header.rateFactor
    memories.lossSum = header.lossSum
    memories.lossCount = header.lossCount
    memories.history = header.history
    memories.kept = header.kept ?? []
    if let kept = header.stopping {
      var stopping = EarlyStopping<Scalar>(patience: max(1, kept.patience))
      (stopping.best, stopping.bestStep, stopping.stale) = (kept.best, kept.bestStep, kept.stale)
      stopping.bestParameters = arrays.values("best")
      memories.stopping = stopping
    }
    self.init(
      fingerprint: header.fingerprint, request: header.request,
      state: TrainerState(run: run, memories: memories, ending: header.ending),
      records: header.records ?? [:])
  }
}

/// The arrays behind a header.
private struct NumberArrays {
  private var places: [String: Range<Int>] = [:]
  private let bytes: Data
  private(set) var names: [String] = []

  /// - Throws: `CheckpointError.damaged` where they do not fill the bytes.
  init(_ arrays: [CheckpointHeader.NumberArray], in bytes: Data) throws {
    self.bytes = bytes
    var offset = bytes.startIndex
    for array in arrays {
      let (size, overflow) = array.count.multipliedReportingOverflow(by: array.width)
      guard !overflow, array.count >= 0, array.width > 0, size <= bytes.endIndex - offset else {
        throw CheckpointError.damaged("its array '\(array.name)' is not all there")
      }
      places[array.name] = offset..<offset + size
      names.append(array.name)
      offset += size
    }
    guard offset == bytes.endIndex else {
      throw CheckpointError.damaged("\(bytes.endIndex - offset) of its bytes belong to nothing")
    }
  }

  /// The numbers of a name; none for an unknown one.
  func values<Number>(_ name: String) -> [Number] {
    guard let place = places[name] else { return [] }
    return bytes[place].withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<Number>.size).map {
        raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.size, as: Number.self)
      }
    }
  }
}

extension JSONEncoder.NonConformingFloatEncodingStrategy {
  fileprivate static var checkpoint: Self {
    .convertToString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}

extension JSONDecoder.NonConformingFloatDecodingStrategy {
  fileprivate static var checkpoint: Self {
    .convertFromString(positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }
}

extension Data {
  fileprivate mutating func append(littleEndian value: UInt64) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  fileprivate func littleEndian(at offset: Int) -> UInt64 {
    withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
  }
}
