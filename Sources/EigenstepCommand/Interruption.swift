import Dispatch
import Foundation
import TensorFiles

/// Turns the first signal that asks the program to end (Ctrl-C, `SIGTERM`, a terminal that closes) into a
/// flag that a run polls; a second one ends the program at once.
///
/// Wrappers such as `timeout` or `make` pass a signal on that the terminal has sent already, so one that
/// follows at once counts as the same.
final class Interruption: @unchecked Sendable {
  // Unchecked: `first` is only touched under `lock`, and `sources` only in `init` and `deinit`.
  private static let lock = NSLock()
  nonisolated(unsafe) private static var first: (time: ContinuousClock.Instant, exit: ProgramExit)?
  private var sources: [any DispatchSourceSignal] = []

  init() {
    for (number, exit) in [
      (SIGINT, ProgramExit.interrupted), (SIGTERM, .terminated), (SIGHUP, .hungUp),
    ] {
      let before = unsafeBitCast(signal(number, SIG_IGN), to: Int.self)
      // Whoever started the program with `nohup` wants it to live on.
      if number == SIGHUP, before == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        guard Self.isRepeated(exit) else { return }
        OutputFile.removeUnfinished()
        // Not `exit`: what it tears down may still be in use by other threads.
        _exit(Self.exit.rawValue)
      }
      source.resume()
      sources.append(source)
    }
  }

  deinit {
    for source in sources {
      source.cancel()
      signal(Int32(source.handle), SIG_DFL)
    }
  }

  var isRaised: Bool { Self.lock.withLock { Self.first != nil } }

  /// How the program ends once it was interrupted: 128 and the number of the signal that came first.
  static var exit: ProgramExit { lock.withLock { first?.exit ?? .interrupted } }

  /// Notes a signal; whether it is another than the first.
  private static func isRepeated(_ exit: ProgramExit) -> Bool {
    lock.withLock {
      guard let first else {
        Self.first = (.now, exit)
        return false
      }
      return first.time.duration(to: .now) > .seconds(1)
    }
  }
}
