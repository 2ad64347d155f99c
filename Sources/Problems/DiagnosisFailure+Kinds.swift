import Curvature
import Diagnosis
import OnnxBackend
import TensorFiles
import Training
import TrainingLogs

extension DiagnosisFailure.Kind {
  /// What an error that opening or diagnosing a problem throws comes down to.
  public init(of error: any Error) {
    switch error {
    case let failure as DiagnosisFailure: self = failure.kind
    case is RequestError, is CatalogueError: self = .usage
    case let error as ArrayFileError:
      self =
        switch error.kind {
        case .missingFile: .noInput
        case .badData: .badData
        case .cannotWrite: .cannotCreate
        }
    case let error as OnnxModelError: self = error.kind == .cannotWrite ? .cannotCreate : .badData
    case is TableError: self = .badData
    case is TrainingError, is TrackingError, is ScheduleError, is HybridError,
      CurvatureError.wrongLength:
      self = .usage
    case let error as LogError:
      self =
        switch error {
        case .taken, .noFolder: .usage
        case .cannotWrite, .gone: .cannotCreate
        }
    case is CancellationError: self = .interrupted
    case let error as OnnxRuntimeError:
      self =
        switch error {
        case .notFound, .notLoadable, .tooOld: .unavailable
        case .terminated: .interrupted
        case .failed, .configuredTooLate: .software
        }
    default: self = .software
    }
  }
}
