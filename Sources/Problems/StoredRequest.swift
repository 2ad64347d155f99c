import Diagnosis
import Foundation

/// A request as a file holds it: by itself, or within the result that it led to.
public enum StoredRequest: Sendable, Equatable {
  case diagnosis(DiagnosisRequest)
  case spectrum(SpectrumRequest)
  case training(TrainingRequest)
  case sweep(SweepRequest)

  private struct Schema: Decodable {
    let schema: String?
  }

  private struct Result<Request: Decodable>: Decodable {
    let request: Request?
  }

  /// - Throws: `DiagnosisFailure` for a file that is none or cannot be read; `RequestError` for a field with
  ///   a value that it cannot have.
  public init(contentsOf path: String) throws {
    let data: Data
    do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
      throw DiagnosisFailure(.noInput, "The file '\(path)' cannot be read; check its permissions.")
    }
    try self.init(json: data, name: path)
  }

  /// - Parameter name: what the JSON is called in errors.
  /// - Throws: as `init(contentsOf:)`.
  public init(json data: Data, name path: String) throws {
    let decoder = JSONDecoder()
    func decode<T: Decodable>(_: T.Type) throws -> T {
      do { return try decoder.decode(T.self, from: data) } catch let error as DecodingError {
        let place =
          if case .dataCorrupted(let context) = error { " \(context.debugDescription)" } else { "" }
        throw DiagnosisFailure(
          .badData, "\(path) is no request: it is no JSON object of one.\(place)")
      }
    }
    func missing<T>(_ request: T?) throws -> T {
      guard let request else {
        throw DiagnosisFailure(
          .badData,
          "\(path) is a result without a request, as an earlier version wrote it; give the options "
            + "again.")
      }
      return request
    }
    switch try decode(Schema.self).schema {
    case DiagnosisRequest.currentSchema: self = .diagnosis(try decode(DiagnosisRequest.self))
    case SpectrumRequest.currentSchema: self = .spectrum(try decode(SpectrumRequest.self))
    case TrainingRequest.currentSchema: self = .training(try decode(TrainingRequest.self))
    case SweepRequest.currentSchema: self = .sweep(try decode(SweepRequest.self))
    case DiagnosisReport.currentSchema:
      self = .diagnosis(try missing(decode(Result<DiagnosisRequest>.self).request))
    case SpectrumReport.currentSchema:
      self = .spectrum(try missing(decode(Result<SpectrumRequest>.self).request))
    case TrainingReport.currentSchema:
      var request = try missing(decode(Result<TrainingRequest>.self).request)
      // What that run left is not written over by the one that repeats it.
      request.files = TrainingFiles()
      self = .training(request)
    case SweepReport.currentSchema:
      self = .sweep(try missing(decode(Result<SweepRequest>.self).request))
    case let other:
      throw DiagnosisFailure(
        .badData,
        "\(path) is no request: its schema is \(other.map { "'\($0)'" } ?? "missing"), and not "
          + "'\(DiagnosisRequest.currentSchema)', '\(SpectrumRequest.currentSchema)', "
          + "'\(TrainingRequest.currentSchema)' or '\(SweepRequest.currentSchema)'.")
    }
  }
}
