// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "EigenstepBenchmarks",
  platforms: [.macOS(.v14)],
  dependencies: [.package(name: "Eigenstep", path: "..")],
  targets: [
    .executableTarget(
      name: "hvp-worker", dependencies: [.product(name: "Eigenstep", package: "Eigenstep")])
  ],
  swiftLanguageModes: [.v6]
)
