import ArgumentParser
import Curvature
import Diagnosis
import Foundation
import LinearMaps
import TensorFiles
import TensorPrograms

/// `eigenstep spectrum FILE.csv --target COLUMN` or `spectrum FILE.onnx --data FILE --loss NAME`.
struct SpectrumCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "spectrum",
    abstract: "Measure eigenvalues, density, trace and layers of a curvature matrix, with proof.",
    version: Eigenstep.version)

  @OptionGroup var problem: ProblemOptions

  @Option(
    parsing: .unconditional, help: "Eigenvalues at each end. (default: 5, if there are as many)")
  var count: Int?

  @Option(help: "Which end.")
  var which: SpectrumEnd = .both

  @Option(help: "Which matrix.")
  var `operator`: CurvatureKind = .hessian

  @Option(
    help: ArgumentHelp(
      "none, features (their scales), diagonal (its absolute values) or adam (with --optimizer adam "
        + "--at N, or adam:STATE.npy for second moments from a file).", valueName: "P"),
    transform: OptionValue.preconditioning)
  var precondition: PreconditionChoice = .none

  @Option(
    parsing: .unconditional,
    help: "Residual, relative to the largest |eigenvalue|. (default: 1e-8, in float32 1e-4)")
  var tolerance: Double?

  @Flag(help: "Estimate the density of eigenvalues.")
  var density = false

  @Option(
    parsing: .unconditional, help: "Wasserstein error of the density, relative to its range.")
  var error: Double = 0.02

  @Flag(help: "Estimate the trace and the Frobenius norm.")
  var trace = false

  @Option(help: ArgumentHelp("Write the diagonal to a NumPy file.", valueName: "path.npy"))
  var diagonal: String?

  @Flag(name: .customLong("per-layer"), help: "Sharpness and trace of each layer by itself.")
  var perLayer = false

  @Flag(help: "Intervals for what a larger sample would give.")
  var intervals = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?

  func validate() throws {
    if let count { try OptionValue.check(count, "--count", atLeast: 1) }
    if let tolerance {
      try OptionValue.check(tolerance, "--tolerance", "between 0 and 1") { $0 > 0 && $0 < 1 }
    }
    if diagonal == "-" { throw ValidationError("--diagonal - is no file; give a path.") }
    try OptionValue.check(error, "--error", "between 0 and 1") { $0 > 0 && $0 < 1 }
  }

  /// The options as the engine takes them; reads the state of `--precondition adam:STATE.npy`.
  func request() throws -> SpectrumRequest {
    var request = SpectrumRequest(problem: problem.request)
    // A quarter for the model's values, three eighths for vectors, the rest for what the executor holds.
    request.problem.memory /= 4
    request.count = count
    request.which = which.end
    request.kind = `operator`
    request.preconditioning = try precondition.preconditioning(memory: problem.memory)
    // The point may be reached by training all: only the matrix is that of some.
    request.problem.modelFile?.parameters = nil
    request.parameters = problem.modelFile.parameters
    request.tolerance = tolerance
    request.densityError = density ? error : nil
    request.trace = trace
    request.diagonal = diagonal != nil
    request.perLayer = perLayer
    request.intervals = intervals
    return request
  }

  func run() throws {
    try reporting {
      if try problem.modelFile.listed(problem.request) { return .done }
      try RunFiles(
        problem.request, state: precondition.state,
        outputs: [("--json", json), ("--diagonal", diagonal)]
      ).check()
      let json = json.map(JSONDestination.init)
      let request = try request()
      let interruption = Interruption()
      let line = ProgressLine()
      defer { line.clear() }
      let result = try Engine.spectrum(
        request,
        RunContext(progress: { line.show($0) }, isCancelled: { interruption.isRaised }))
      line.clear()
      // Files first: standard output may be a pipe that nobody reads, and printing end the program.
      LateFailures.noting {
        if let path = diagonal, let entries = result.diagonal {
          try NumpyArray.write(Tensor(entries, type: .float64(entries.count)), to: path)
        }
      }
      LateFailures.noting { try json?.writeFile(result.report.json() + "\n") }
      StandardOutput.write(
        json == .standardOutput
          ? try result.report.json() + "\n" : result.report.terminalText(StandardOutput.style))
      return interruption.isRaised ? .interrupted : .done
    }
  }
}

extension CurvatureKind: ExpressibleByArgument {}

/// An end of the spectrum, as `--which` names it.
enum SpectrumEnd: String, ExpressibleByArgument, CaseIterable {
  case largest, smallest, both

  var end: TopEigenpairs<Double>.End {
    switch self {
    case .largest: .largest
    case .smallest: .smallest
    case .both: .both
    }
  }
}

/// A preconditioner as `--precondition` names it.
package enum PreconditionChoice: Equatable, Sendable {
  case none, features, diagonal
  case adam(state: String?)

  /// The file that it is read from.
  var state: String? {
    if case .adam(let state) = self { state } else { nil }
  }

  func preconditioning(memory: Int) throws -> SpectrumRequest.Preconditioning {
    var limits = TensorFileLimits.standard
    limits.arrayBytes = min(limits.arrayBytes, memory)
    return switch self {
    case .none: .none
    case .features: .features
    case .diagonal: .diagonal
    case .adam(let path):
      .adam(secondMoments: try path.map { try NumpyArray.read($0, limits: limits).doubles })
    }
  }
}

extension OptionValue {
  package static func preconditioning(_ text: String) throws -> PreconditionChoice {
    switch text {
    case "none": return .none
    case "features": return .features
    case "diagonal": return .diagonal
    case "adam": return .adam(state: nil)
    default:
      if text.hasPrefix("adam:"), text.count > 5 { return .adam(state: String(text.dropFirst(5))) }
      throw ValidationError(
        "There is no preconditioner '\(text)': choose none, features, diagonal, adam or "
          + "adam:STATE.npy.")
    }
  }
}
