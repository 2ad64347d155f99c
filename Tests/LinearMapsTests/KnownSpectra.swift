import Foundation

@testable import LinearMaps

/// Spectra known exactly, as eigenvalues of diagonal maps: for probes uniform on the sphere a
/// rotation makes no difference.
enum KnownSpectrum: String, CaseIterable, Sendable {
  case uniform, semicircle, marchenkoPastur, network, twoPoint, clustered, geometric
  case laplacian1D, laplacian2D, outlier, inverseSquare, lowRank

  func values(_ n: Int, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: 1000 + seed)
    let levels = (0..<n).map { (Double($0) + 0.5) / Double(n) }
    switch self {
    case .uniform: return levels
    case .semicircle:
      return Self.quantiles(levels, from: -2, to: 2) { (4 - $0 * $0).squareRoot() }
    case .marchenkoPastur:
      return Self.quantiles(levels, from: 0.25, to: 2.25) {
        ((2.25 - $0) * ($0 - 0.25)).squareRoot() / $0
      }
    case .network:
      return (0..<n).map { index in
        if index < 10 { return Double(index + 1) }
        let size = -0.05 * log(1 - generator.nextUniform())
        return generator.nextUniform() < 0.1 ? -0.2 * size : size
      }
    case .twoPoint: return levels.map { $0 < 1.0 / 3 ? 5 : 1 }
    case .clustered:
      let centers = [0, 0.1, 0.11, 0.5, 0.9, 1]
      return (0..<n).map { centers[$0 % 6] + 1e-6 * generator.nextUniform() }
    case .geometric: return (0..<n).map { pow(0.9, Double($0)) }
    case .laplacian1D: return Self.laplacian(n)
    case .laplacian2D:
      let side = Self.laplacian(Int(Double(n).squareRoot()))
      return side.flatMap { x in side.map { x + $0 } }
    case .outlier: return (0..<n).map { $0 == 0 ? 1 : 0.01 * generator.nextNormal() }
    case .inverseSquare: return (1...n).map { 1 / Double($0 * $0) }
    case .lowRank: return (0..<n).map { $0 < 3 ? Double($0 + 1) : 0 }
    }
  }

  static func laplacian(_ n: Int) -> [Double] {
    (1...n).map { 4 * pow(sin(0.5 * .pi * Double($0) / Double(n + 1)), 2) }
  }

  private static func quantiles(
    _ levels: [Double], from a: Double, to b: Double, _ density: (Double) -> Double
  ) -> [Double] {
    let count = 20_000
    let width = (b - a) / Double(count)
    var sums = [0.0]
    for i in 0..<count { sums.append(sums[i] + density(a + (Double(i) + 0.5) * width)) }
    var index = 0
    return levels.map { level in
      while sums[index + 1] < level * sums[count] { index += 1 }
      let part = (level * sums[count] - sums[index]) / (sums[index + 1] - sums[index])
      return a + (Double(index) + part) * width
    }
  }
}
