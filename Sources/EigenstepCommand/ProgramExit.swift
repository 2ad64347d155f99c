import ArgumentParser
import Diagnosis
import Foundation
import OnnxBackend
import Presentation
import TensorFiles

/// The exit codes of `docs/json.md`; from 64 to 78 those of BSD's `sysexits.h`.
package enum ProgramExit: Int32, Sendable {
  case done = 0
  /// A lab measured something else than it predicts, or training ended without a finite loss or by an alarm.
  case checkFailed = 1
  case usage = 64
  case badData = 65
  case noInput = 66
  case unavailable = 69
  case software = 70
  case cannotCreate = 73
  /// Ended by a signal: 128 and its number.
  case hungUp = 129
  case interrupted = 130
  case terminated = 143

  package init(_ kind: DiagnosisFailure.Kind) {
    self =
      switch kind {
      case .usage: .usage
      case .badData: .badData
      case .noInput: .noInput
      case .unavailable: .unavailable
      case .software: .software
      case .cannotCreate: .cannotCreate
      case .interrupted: .interrupted
      }
  }

  package init(of error: any Error) { self.init(DiagnosisFailure.Kind(of: error)) }
}

/// An error's sentence; a message of the library names what to change, and this says by what words.
func sentence(of error: any Error, _ wording: Message.Wording = .flags) -> String {
  Printable.line((error as? any MessageError)?.message.text(wording) ?? "\(error)")
}

/// Runs a command's work; an error becomes one line on standard error and its exit code.
///
/// - Parameter wording: whose names options have in that line.
func reporting(
  _ wording: Message.Wording = .flags, _ work: () throws -> ProgramExit
) throws {
  var status: ProgramExit
  do {
    status = try work()
  } catch let error as ExitCode {
    throw error
  } catch {
    StandardError.write("Error: \(sentence(of: error, wording))\n")
    status = ProgramExit(of: error)
  }
  for error in LateFailures.take() {
    StandardError.write("Error: \(sentence(of: error, wording))\n")
    if status == .done { status = ProgramExit(of: error) }
  }
  if status == .interrupted { status = Interruption.exit }
  if status != .done { throw ExitCode(status.rawValue) }
}

/// Failures to write a file once the run is over: what was measured is still printed before they are
/// reported.
enum LateFailures {
  private static let lock = NSLock()
  nonisolated(unsafe) private static var errors: [any Error] = []

  /// Does `work`, noting its failure.
  static func noting(_ work: () throws -> Void) {
    do { try work() } catch { lock.withLock { errors.append(error) } }
  }

  static func take() -> [any Error] {
    lock.withLock {
      defer { errors = [] }
      return errors
    }
  }
}
