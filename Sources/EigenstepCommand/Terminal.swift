import Diagnosis
import Dispatch
import Foundation
import Presentation
import Reports
import TensorPrograms

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The three streams that every program is started with.
enum StandardStreams {
  /// Fills those that were closed: else the next file that is opened would take their numbers, and what is
  /// printed would go into it. They are opened the wrong way round, so that using them still fails.
  static func open() {
    for (descriptor, mode) in [(0 as Int32, O_WRONLY), (1, O_RDONLY), (2, O_RDONLY)]
    where fcntl(descriptor, F_GETFD) == -1 {
      #if canImport(Glibc)
        _ = Glibc.open("/dev/null", mode)
      #elseif canImport(Musl)
        _ = Musl.open("/dev/null", mode)
      #else
        _ = Darwin.open("/dev/null", mode)
      #endif
    }
  }

  /// Has a write past the limit on the size of files fail, so that a sentence can say so.
  static func outliveFileSizeLimit() { signal(SIGXFSZ, SIG_IGN) }
}

/// Standard error, unbuffered.
package enum StandardError {
  package static var isTerminal: Bool { isatty(2) == 1 }

  static func write(_ text: String) { writeCommands(Printable.lines(text)) }

  /// As it is, with commands to the terminal.
  package static let writeCommands: @Sendable (String) -> Void = { text in
    // Nobody is left to tell where this fails.
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}

/// Standard output, unbuffered.
enum StandardOutput {
  /// Ends the program where standard output is full or closed.
  static func write(_ text: String) {
    // Colours are commands to the terminal; without them there are none.
    let text = style.colours ? text : Printable.lines(text)
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      StandardError.write(
        "Error: Standard output cannot be written: it is closed, or the disk is full.\n")
      exit(ProgramExit.cannotCreate.rawValue)
    }
  }

  /// Writes what is only a part: where nobody reads it, what is still to be written elsewhere must not suffer.
  static func writeEarly(_ text: String) {
    let before = signal(SIGPIPE, SIG_IGN)
    defer { signal(SIGPIPE, before) }
    let text = style.colours ? text : Printable.lines(text)
    // The last part tells of a failure.
    try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
  }

  /// Colours only on a terminal that knows them and whose user wants them (https://no-color.org).
  static var style: TerminalStyle {
    let environment = ProcessInfo.processInfo.environment
    let isTerminal = isatty(1) == 1
    let wanted = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    return TerminalStyle(
      colours: isTerminal && wanted, width: isTerminal ? min(width ?? 80, 100) : 80)
  }

  private static var width: Int? {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }
}

/// What is being done, on standard error: one line that changes on a terminal; elsewhere, where lines stay,
/// one every ten seconds, so that a log shows that a long run is alive.
package final class ProgressLine: @unchecked Sendable {
  // Unchecked: `latest` is only touched under `lock`, and `timer` only in `init` and `deinit`.
  private let isTerminal: Bool
  private let write: @Sendable (String) -> Void
  private let lock = NSLock()
  private var latest: RunProgress?
  private var timer: (any DispatchSourceTimer)?

  /// - Parameters:
  ///   - seconds: between two lines where the stream is no terminal.
  ///   - write: gets each line, or the commands to a terminal.
  package init(
    isTerminal: Bool = StandardError.isTerminal, seconds: Double = 10,
    write: @escaping @Sendable (String) -> Void = StandardError.writeCommands
  ) {
    self.isTerminal = isTerminal
    self.write = write
    guard !isTerminal else { return }
    let timer = DispatchSource.makeTimerSource(queue: .global())
    let start = ContinuousClock.now
    timer.schedule(deadline: .now() + seconds, repeating: seconds)
    timer.setEventHandler { [weak self] in
      guard let self, let latest = self.lock.withLock({ self.latest }) else { return }
      let passed = start.duration(to: .now).components.seconds
      self.write("eigenstep: \(Self.words(latest)), after \(passed) s\n")
    }
    timer.resume()
    self.timer = timer
  }

  deinit { timer?.cancel() }

  private static func words(_ progress: RunProgress) -> String {
    let percent = progress.fraction.map { " \(Int(($0 * 100).rounded())) %" } ?? ""
    return Printable.line(progress.stage) + percent
  }

  package func show(_ progress: RunProgress) {
    lock.withLock { latest = progress }
    if isTerminal { write("\r\u{1B}[K\(Self.words(progress))") }
  }

  /// Makes room for what is printed.
  package func clear() {
    if isTerminal { write("\r\u{1B}[K") }
  }
}
