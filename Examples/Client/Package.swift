// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Client",
  platforms: [.macOS(.v14)],
  dependencies: [
    // Elsewhere than in this repository: .package(url: "https://...", from: "0.1.0").
    .package(name: "Eigenstep", path: "../..")
  ],
  targets: [
    .executableTarget(
      name: "Client", dependencies: [.product(name: "Eigenstep", package: "Eigenstep")])
  ]
)
