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
  var precondition: SpectrumRequest.Preconditioning = .none

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

  @OptionGroup var result: ResultOptions

  func validate() throws {
    try problem.givenRate?.checkIsNumber()
    try OptionValue.checking { try request.check() }
    if diagonal == "-" { throw ValidationError("--diagonal - is no file; give a path.") }
    try OptionValue.check(error, "--error", "between 0 and 1") { $0 > 0 && $0 < 1 }
  }

  /// The options as a request.
  var request: SpectrumRequest {
    var request = SpectrumRequest(problem.source)
    request.training = problem.training
    request.resources = problem.resources
    request.count = count
    request.which = which
    request.kind = `operator`
    request.preconditioning = precondition
    // The point may be reached by training all: only the matrix is that of some.
    if case .model(var model) = request.problem {
      model.parameters = nil
      request.problem = .model(model)
    }
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
      if try problem.modelFile.listed(problem.file) { return .done }
      try RunFiles(
        problem.source, state: precondition.file,
        outputs: [
          ("--json", result.json), ("--diagonal", diagonal), ("--profile", problem.profile),
        ]
      ).check()
      return try Run(json: result.json, profile: problem.profile, diagonal: diagonal).spectrum(
        request)
    }
  }
}

extension CurvatureKind: ExpressibleByArgument {}

extension SpectrumEnd: ExpressibleByArgument {}

extension OptionValue {
  package static func preconditioning(
    _ text: String
  ) throws -> SpectrumRequest.Preconditioning {
    switch text {
    case "none": return .none
    case "features": return .features
    case "diagonal": return .diagonal
    case "adam": return .adam(secondMoments: nil)
    default:
      if text.hasPrefix("adam:"), text.count > 5 {
        return .adamState(file: String(text.dropFirst(5)))
      }
      throw ValidationError(
        "There is no preconditioner '\(text)': choose none, features, diagonal, adam or "
          + "adam:STATE.npy.")
    }
  }
}
