// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Eigenstep",
  platforms: [.macOS(.v14)],
  products: [
    .executable(name: "eigenstep", targets: ["eigenstep"]),
    .library(name: "EigenstepC", type: .dynamic, targets: ["EigenstepC"]),
    .library(name: "TensorPrograms", targets: ["TensorPrograms"]),
    .library(name: "LinearMaps", targets: ["LinearMaps"]),
    .library(name: "RandomSpectra", targets: ["RandomSpectra"]),
    .library(
      name: "Eigenstep",
      targets: [
        "Presentation", "TensorPrograms", "LinearMaps", "OnnxBackend", "TensorFiles", "Curvature",
        "Training", "TrainingLogs", "Diagnosis", "Problems", "Labs", "Reports",
      ]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.28.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    .target(
      name: "CLAPACK",
      linkerSettings: [
        .linkedLibrary("openblas", .when(platforms: [.linux])),
        .linkedLibrary("lapacke", .when(platforms: [.linux])),
        .linkedFramework("Accelerate", .when(platforms: [.macOS])),
      ]),
    // Words, numbers and what is shown; a leaf that knows no mathematics.
    .target(name: "Presentation"),
    .target(name: "LinearMaps", dependencies: ["CLAPACK", "Presentation"]),
    .target(name: "TensorPrograms"),
    .target(name: "COnnxRuntime"),
    .target(
      name: "OnnxBackend",
      dependencies: [
        "TensorPrograms", "Presentation", "COnnxRuntime",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["Messages/onnx.proto"]),
    // The system's zlib, part of macOS and of any Linux.
    .target(name: "CZlib", linkerSettings: [.linkedLibrary("z")]),
    .target(name: "TensorFiles", dependencies: ["TensorPrograms", "Presentation", "CZlib"]),
    .target(name: "Curvature", dependencies: ["LinearMaps", "TensorPrograms", "Presentation"]),
    .target(
      name: "Training",
      dependencies: [
        "Curvature", "Presentation", .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "Diagnosis",
      dependencies: ["Training", "Presentation", .product(name: "Logging", package: "swift-log")]),
    // What happened in a training run, as JSON lines and as event files of TensorBoard.
    .target(
      name: "TrainingLogs",
      dependencies: [
        "Training", "Presentation", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ],
      exclude: ["event.proto"]),
    .target(
      name: "Problems",
      dependencies: [
        "Diagnosis", "OnnxBackend", "TensorFiles", "TrainingLogs", "Presentation",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(
      name: "Labs", dependencies: ["Diagnosis", "Training", "TensorPrograms", "Presentation"]),
    .target(
      name: "Reports",
      dependencies: ["Diagnosis", "Labs", "Curvature", "LinearMaps", "Presentation"]),
    // All commands, for the program and for the library that Python's command runs in.
    .target(
      name: "EigenstepCommand",
      dependencies: [
        "Reports", "Labs", "Problems", "Diagnosis", "Curvature", "OnnxBackend", "TensorFiles",
        "LinearMaps", "TensorPrograms", "Presentation", "Training",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(name: "eigenstep", dependencies: ["EigenstepCommand"]),
    .target(name: "CEigenstep"),
    .target(
      name: "EigenstepC",
      dependencies: [
        "CEigenstep", "EigenstepCommand", "Problems", "Reports", "Diagnosis", "Curvature",
        "LinearMaps", "TensorFiles", "TensorPrograms", "Presentation", "Labs",
      ]),
    // Every primitive and random programs of them, for the tests of each executor.
    .target(
      name: "PrimitiveTable", dependencies: ["TensorPrograms"], path: "Tests/Support/PrimitiveTable"
    ),
    .testTarget(
      name: "TensorProgramsTests", dependencies: ["TensorPrograms", "PrimitiveTable"]),
    // Random symmetric matrices and what eigensolvers promise about them, for tests and benchmarks.
    .target(
      name: "RandomSpectra", dependencies: ["LinearMaps"], path: "Tests/Support/RandomSpectra"),
    .testTarget(name: "LinearMapsTests", dependencies: ["LinearMaps", "RandomSpectra"]),
    .testTarget(
      name: "OnnxBackendTests", dependencies: ["OnnxBackend", "PrimitiveTable"],
      exclude: ["Fixtures"]),
    // Seeded damage to valid files, for the tests of everything that reads untrusted bytes.
    .target(name: "MutationFuzz", path: "Tests/Support/MutationFuzz"),
    .testTarget(
      name: "TensorFilesTests", dependencies: ["TensorFiles", "TensorPrograms", "MutationFuzz"],
      exclude: ["Fixtures"]),
    // Losses with derivatives by hand, and descent in plain doubles.
    .target(name: "KnownLosses", dependencies: ["Curvature"], path: "Tests/Support/KnownLosses"),
    .testTarget(
      name: "CurvatureTests",
      dependencies: ["Curvature", "LinearMaps", "TensorPrograms", "KnownLosses"]),
    // Models that other tools exported, against derivatives that other tools took.
    .testTarget(
      name: "ModelTests",
      dependencies: [
        "OnnxBackend", "Problems", "Curvature", "TensorFiles", "LinearMaps", "TensorPrograms",
        "MutationFuzz",
      ],
      exclude: ["Models"]),
    // Each optimizer against its update in plain doubles, closed forms against runs.
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Training", "Curvature", "OnnxBackend", "LinearMaps", "TensorPrograms", "KnownLosses",
      ],
      exclude: ["Fixtures"]),
    // Logs read back, and the checksums of their records.
    .testTarget(
      name: "TrainingLogsTests", dependencies: ["TrainingLogs", "Training", "ProgramRuns"]),
    // The drawing in docs/architecture.md against this file and the sources.
    .testTarget(name: "ArchitectureTests"),
    .testTarget(name: "PresentationTests", dependencies: ["Presentation"]),
    .testTarget(
      name: "LabsTests",
      dependencies: [
        "Labs", "Reports", "Training", "Curvature", "OnnxBackend", "LinearMaps", "TensorPrograms",
        "Presentation",
      ]),
    .testTarget(
      name: "DiagnosisTests",
      dependencies: [
        "Diagnosis", "Reports", "Training", "Curvature", "OnnxBackend", "LinearMaps",
        "TensorPrograms", "Presentation", "KnownLosses",
      ],
      exclude: ["Snapshots"]),
    // The built program, for the tests of what it prints.
    .target(name: "ProgramRuns", path: "Tests/Support/ProgramRuns"),
    .testTarget(
      name: "ProblemsTests",
      dependencies: [
        "eigenstep", "Problems", "Diagnosis", "Training", "OnnxBackend", "TensorFiles",
        "TensorPrograms", "LinearMaps", "Presentation", "ProgramRuns", "Curvature",
      ],
      exclude: ["Forms"]),
    // The functions of eigenstep.h, called as a program in C calls them.
    .testTarget(
      name: "EigenstepCTests", dependencies: ["EigenstepC", "CEigenstep", "ProgramRuns"]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: [
        "eigenstep", "EigenstepCommand", "ProgramRuns", "Diagnosis", "Training", "Labs", "Reports",
        "TensorFiles", "TensorPrograms", "Presentation",
      ],
      exclude: ["Snapshots", "Fixtures"]),
  ],
  swiftLanguageModes: [.v6]
)

// `make check`: the example of a program in Swift, which users of the package do not get.
if Context.environment["EIGENSTEP_EXAMPLES"] != nil {
  package.targets.append(
    .executableTarget(
      name: "DiagnoseExample", dependencies: ["Problems", "Reports", "Diagnosis"],
      path: "Examples/Diagnose"))
}

// `make check`: warnings in this package's own Swift are errors, its dependencies' are not.
if Context.environment["EIGENSTEP_STRICT"] != nil {
  for target in package.targets where target.type != .system {
    target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags(["-warnings-as-errors"])]
  }
}
