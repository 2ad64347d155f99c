// swift-tools-version: 6.0
import PackageDescription

let eigenstep = Target.Dependency.product(name: "Eigenstep", package: "Eigenstep")

let package = Package(
  name: "EigenstepBenchmarks",
  platforms: [.macOS(.v14)],
  dependencies: [.package(name: "Eigenstep", path: "..")],
  targets: [
    .target(name: "BenchmarkNetwork", dependencies: [eigenstep]),
    .executableTarget(name: "hvp-worker", dependencies: ["BenchmarkNetwork", eigenstep]),
    .executableTarget(name: "model-worker", dependencies: ["BenchmarkNetwork", eigenstep]),
    .executableTarget(name: "schedule-sweep", dependencies: [eigenstep]),
    .executableTarget(name: "training-worker", dependencies: ["BenchmarkNetwork", eigenstep]),
    .executableTarget(name: "spectrum-worker", dependencies: ["BenchmarkNetwork", eigenstep]),
    .executableTarget(name: "pinn-worker", dependencies: [eigenstep]),
    .executableTarget(name: "sweep-worker", dependencies: ["BenchmarkNetwork", eigenstep]),
    .executableTarget(name: "tracking-bench", dependencies: [eigenstep]),
    .executableTarget(
      name: "spectra-sweep",
      dependencies: [eigenstep, .product(name: "RandomSpectra", package: "Eigenstep")]),
  ],
  swiftLanguageModes: [.v6]
)
