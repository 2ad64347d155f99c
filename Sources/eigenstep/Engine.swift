import Diagnosis

/// The engine behind `diagnose`.
enum Engine {
  static let run: DiagnosisRun = { _, _, _ in
    throw DiagnosisFailure(
      .unavailable, "This build of eigenstep has no diagnosis engine; build a later version.")
  }
}
