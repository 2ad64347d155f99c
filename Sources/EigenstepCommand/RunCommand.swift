import ArgumentParser
import Diagnosis
import Foundation
import Presentation
import Problems

/// `eigenstep run REQUEST.json`.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Carry out a request from a file, or that of a result, again.",
    discussion: """
      The file is a request as JSON, or the JSON of an earlier diagnosis, spectrum, training or sweep, which \
      carries its own. Paths in it are relative to the current folder. Of a training's result, what that run \
      left (checkpoints, log, parameters) is not written again; the options below say where it goes.
      """,
    version: Eigenstep.version)

  @Argument(help: "A request or a result (JSON).", completion: .file(extensions: ["json"]))
  var file: String

  @Option(help: ArgumentHelp("Write the diagonal to a NumPy file.", valueName: "path.npy"))
  var diagonal: String?

  @Option(
    help: ArgumentHelp(
      "Write to a file, as JSON, where the time of the model's runs went.", valueName: "path"))
  var profile: String?

  @OptionGroup var result: ResultOptions

  @Option(help: ArgumentHelp("Of training: keep checkpoints in a folder.", valueName: "folder"))
  var checkpoint: String?

  @Flag(help: "Of training: go on from the newest checkpoint.")
  var resume = false

  @Option(help: ArgumentHelp("Of training: log to a folder.", valueName: "folder"))
  var log: String?

  @Option(
    help: ArgumentHelp(
      "Of training: write the parameters at the end: .safetensors or .onnx.", valueName: "path"))
  var save: String?

  /// Those of the options that are of training alone, and were given.
  private var trainingOption: String? {
    [
      ("--checkpoint", checkpoint != nil), ("--resume", resume), ("--log", log != nil),
      ("--save", save != nil),
    ].first { $0.1 }?.0
  }

  func validate() throws {
    for (option, path) in [("--diagonal", diagonal), ("--profile", profile)] where path == "-" {
      throw ValidationError("\(option) - is no file; give a path.")
    }
  }

  func run() throws {
    try reporting(.fields) {
      try ProblemSource.checkFile(file)
      let outputs = [("--json", result.json), ("--diagonal", diagonal), ("--profile", profile)]
      let run = Run(json: result.json, profile: profile, diagonal: diagonal)
      let stored = try StoredRequest(contentsOf: file)
      if let trainingOption {
        guard case .training = stored else {
          throw DiagnosisFailure(
            .usage, "\(trainingOption) is of training, and \(file) asks for none; leave it out.")
        }
      }
      switch stored {
      case .diagnosis(var request):
        if diagonal != nil {
          throw DiagnosisFailure(
            .usage, "--diagonal is of a spectrum, and \(file) asks for a diagnosis; leave it out.")
        }
        request.resources.isProfiled = profile != nil
        try RunFiles(request.problem, request: file, outputs: outputs).check()
        return try run.diagnose(request)
      case .spectrum(var request):
        request.resources.isProfiled = profile != nil
        request.diagonal = request.diagonal || diagonal != nil
        try RunFiles(
          request.problem, request: file, state: request.preconditioning.file, outputs: outputs
        ).check()
        return try run.spectrum(request)
      case .training(var request):
        if diagonal != nil {
          throw DiagnosisFailure(
            .usage, "--diagonal is of a spectrum, and \(file) asks for training; leave it out.")
        }
        request.resources.isProfiled = profile != nil
        request.files.checkpoints = checkpoint ?? request.files.checkpoints
        request.files.resumes = request.files.resumes || resume
        request.files.log = log ?? request.files.log
        request.files.saved = save ?? request.files.saved
        try request.check()
        try RunFiles(training: request, request: file, outputs: outputs).check()
        return try run.train(request)
      case .sweep(var request):
        if diagonal != nil {
          throw DiagnosisFailure(
            .usage, "--diagonal is of a spectrum, and \(file) asks for a sweep; leave it out.")
        }
        request.resources.isProfiled = profile != nil
        try RunFiles(request.problem, request: file, outputs: outputs).check()
        return try run.sweep(request)
      }
    }
  }
}
