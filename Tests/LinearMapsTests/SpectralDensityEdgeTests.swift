import Foundation
import Testing

@testable import LinearMaps

@Suite struct SpectralDensityEdgeTests {
  static func options(
    _ method: SpectralDensity.Method, error: Double? = 0.05, basis: SpectralDensity.Basis
  ) -> SpectralDensity.Options {
    var options = SpectralDensity.Options()
    (options.method, options.error, options.basis) = (method, error, basis)
    return options
  }

  static let variants: [SpectralDensity.Options] = [
    options(.lanczos, basis: .automatic), options(.lanczos, basis: .free),
    options(.lanczos, error: nil, basis: .automatic), options(.kernelPolynomial, basis: .automatic),
    options(.kernelPolynomial, error: nil, basis: .automatic),
  ]

  @Test(arguments: variants.indices)
  func oneEigenvalueNeedsOneProduct(_ index: Int) throws {
    for (values, value) in [([3.0], 3.0), ([0], 0), (Array(repeating: 0, count: 40), 0)] {
      let density = try SpectralDensity(of: DiagonalMap(values), options: Self.variants[index])
      #expect(density.range == 0)
      #expect(density.wassersteinBound.isFinite && density.wassersteinBound < 1e-13)
      #expect(abs(density.moment(1) - value) < 1e-13)
      #expect(abs(density.weights.reduce(0, +) - 1) < 1e-14)
      #expect(density.cumulative(at: value + 1e-9) == 1)
      #expect(density.wassersteinDistance(toEigenvalues: values) <= density.wassersteinBound)
      #expect(density.convergence.isConverged)
    }
  }

  @Test(arguments: variants.indices)
  func budgetOfOneProductIsAnHonestAnswer(_ index: Int) throws {
    let values = KnownSpectrum.uniform.values(300, seed: 0)
    var options = Self.variants[index]
    options.maxApplications = 1
    let density = try SpectralDensity(of: DiagonalMap(values), options: options)
    #expect(density.operatorApplications == 1)
    #expect(density.wassersteinDistance(toEigenvalues: values) <= density.wassersteinBound)
    #expect(abs(density.weights.reduce(0, +) - 1) < 1e-14)
    #expect(density.convergence.reason == .budget)
    #expect(density.convergence.advice.contains("it takes more products"))
  }

  @Test(arguments: variants.indices)
  func seedsRepeatAndDiffer(_ index: Int) throws {
    let map = DiagonalMap(KnownSpectrum.semicircle.values(300, seed: 0).map { Float($0) })
    var options = Self.variants[index]
    options.maxApplications = 60
    let first = try SpectralDensity(of: map, options: options)
    #expect(try SpectralDensity(of: map, options: options) == first)
    let text = try JSONEncoder().encode(first)
    #expect(try JSONDecoder().decode(SpectralDensity.self, from: text) == first)
    options.seed = 1
    #expect(try SpectralDensity(of: map, options: options).nodes != first.nodes)
  }

  @Test(arguments: variants.indices)
  func nonFiniteProductIsNamed(_ index: Int) throws {
    var product = 0
    let map = ClosureMap<Double>(dimension: 300) { x, y in
      product += 1
      for i in 0..<300 { y[i] = Double(i) * x[i] }
      if product == 15 { y[7] = .nan }
    }
    #expect(throws: LinearMapError.nonFiniteProduct(application: 15, index: 7)) {
      try SpectralDensity(of: map, options: Self.variants[index])
    }
  }

  /// Sampling a small map to this error would cost more than all of its eigenvalues.
  @Test func smallMapsAreSolvedCompletely() throws {
    let values = [1.0, 1, 1, 2, 2, 5, 7, 7, 7, 7, 8, 9]
    var options = SpectralDensity.Options()
    options.error = 0.01
    let density = try SpectralDensity(of: DiagonalMap(values), options: options)
    #expect(density.probes == 0)
    #expect(density.operatorApplications == 12)
    #expect(density.wassersteinDistance(toEigenvalues: values) < 1e-13)
    #expect(density.convergence.reason == .invariantSubspace)
  }

  @Test func progressEndsAtTheResult() throws {
    nonisolated(unsafe) var progress: SpectralDensity.Progress?
    var options = SpectralDensity.Options()
    options.error = 0.1
    options.onProgress = { progress = $0 }
    let map = DiagonalMap(KnownSpectrum.marchenkoPastur.values(2000, seed: 0))
    let density = try SpectralDensity(of: map, options: options)
    #expect(progress?.operatorApplications == density.operatorApplications)
    #expect(progress?.wassersteinBound == density.wassersteinBound)
  }
}
