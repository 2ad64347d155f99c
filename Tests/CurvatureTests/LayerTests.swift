import Curvature
import Foundation
import TensorPrograms
import Testing

/// Layers against PyTorch's, on inputs and parameters that are waves; made by Scripts/layer-goldens.py.
@Suite struct LayerTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let shape: Shape
    var parameters: @Sendable (inout ParameterSet) -> Void = { _ in }
    let layer: @Sendable (Traced, LayerParameters) -> Traced
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "dense", shape: [2, 3], parameters: { $0.dense("a", inputs: 3, outputs: 2) }) {
      $0.dense($1["a"])
    },
    Row(
      name: "convolution", shape: [1, 2, 4, 4],
      parameters: { $0.convolution("a", inputs: 2, outputs: 2, window: [3, 3]) }
    ) { $0.convolution($1["a"], stride: 2, padding: 1) },
    Row(name: "max pooling", shape: [1, 1, 4, 4]) { x, _ in x.maxPooling(2) },
    Row(name: "average pooling", shape: [1, 1, 4, 4]) { x, _ in x.averagePooling(2) },
    Row(
      name: "batch normalization", shape: [2, 2, 1, 2],
      parameters: { $0.normalization("a", features: 2) }
    ) { $0.batchNormalization($1["a"]) },
    Row(
      name: "layer normalization", shape: [2, 4],
      parameters: { $0.normalization("a", features: 4) }
    ) { $0.layerNormalization($1["a"]) },
    Row(
      name: "group normalization", shape: [1, 4, 1, 2],
      parameters: { $0.normalization("a", features: 4) }
    ) { $0.groupNormalization($1["a"], groups: 2) },
    Row(name: "attention", shape: [2, 3, 4], parameters: { $0.attention("a", width: 4) }) {
      $0.attention($1["a"], heads: 2, isCausal: true)
    },
    Row(
      name: "lstm", shape: [2, 3, 2], parameters: { $0.lstm("a", inputs: 2, hidden: 2) }
    ) { $0.lstm($1["a"]) },
  ]

  static let expected: [String: [Double]] = [
    "dense": [
      1.37907667723392, 1.01013314104716, 0.952334109390529, -0.161574987842985,
    ],
    "convolution": [
      2.58978106814613, 1.15297767469169, 3.15095973838167, 1.87629512293641,
      1.86703145960767, -3.39608936563817, 3.28449575053706, -3.6939265588114,
    ],
    "max pooling": [
      0.783326909627483, 0.999573603041505, 0.734397097874115, 0.998941341839772,
    ],
    "average pooling": [
      0.14832002689348, -0.0330344852497557, 0.152342332513809, 0.0729882696323423,
    ],
    "batch normalization": [
      0.531311129893992, 1.13380812248545, 2.07870938250891, 1.8070773100944,
      0.472005828587758, -0.21942292655039, -0.00899397813451967, 0.0185978090439889,
    ],
    "layer normalization": [
      -0.304956524844909, 1.30859480651744, 0.0863219617393614, -1.15747021316347,
      1.2479501073948, 1.05480169089084, 0.00531080142460051, -0.177129069235176,
    ],
    "group normalization": [
      -0.304956524844909, 0.644221693452735, 2.02171954493277, 1.18452833997522,
      0.108234935294114, 0.045037182052232, -0.121541345277344, -0.177129069235176,
    ],
    "attention": [
      4.14629895095443, 3.10131574780345, -1.63178418903793, -4.64706885097947,
      2.7136872485751, 0.200660045952066, -2.91718359469834, -2.95087525079108,
      2.99704334621751, 3.72617701720683, 0.102987259629784, -3.64639143118939,
      3.64438793842429, -1.18728820800465, -5.14843807630947, -3.65368684193135,
      0.732136635417244, 3.99758257462739, 2.62221002710026, -1.55720125805116,
      4.58582016246967, -0.706799331407987, -5.639636202235, -4.59444474034324,
    ],
    "lstm": [
      -0.279657051936669, 0.288285404843957, -0.328946476287188, 0.389815775597713,
      -0.484127603482879, 0.182986998022244, 0.162296733765948, -0.155332307173385,
      -0.0400818322049878, 0.0829809374269979, -0.266305615861433, 0.33312465310081,
    ],
  ]

  /// `sin(a k + b)`.
  private func wave(_ a: Double, _ b: Double, _ shape: Shape) -> Tensor {
    Tensor((0..<shape.count).map { sin(a * Double($0) + b) }, shape: shape)
  }

  @Test(arguments: rows) func agreesWithPyTorch(_ row: Row) throws {
    var parameters = ParameterSet()
    row.parameters(&parameters)
    let definitions = parameters.definitions
    var types = definitions.map { TensorType(.float64, $0.shape) }
    types.append(TensorType(.float64, row.shape))
    let program = try Program.trace(types) {
      [row.layer($0.last!, LayerParameters(definitions, Array($0.dropLast())))]
    }
    // The second bias of PyTorch's lstm is zero.
    let values = definitions.map { wave(1.3, 0.5, $0.shape) } + [wave(0.7, 0.2, row.shape)]
    let output = try ReferenceExecutor().compile(program).run(values)[0].doubles
    let expected = try #require(Self.expected[row.name])
    #expect(output.count == expected.count)
    for (a, b) in zip(output, expected) { #expect(abs(a - b) < 1e-12 * (1 + abs(b))) }
  }

  @Test func startsWithTheVarianceAskedFor() {
    for (kind, gain) in [(ParameterSet.Initialization.he, 2.0), (.leCun, 1)] {
      var parameters = ParameterSet(seed: 3, kind)
      parameters.convolution("a", inputs: 50, outputs: 64, window: [3, 3])
      let weights = parameters.start.prefix(64 * 450)
      let variance = weights.reduce(0) { $0 + $1 * $1 } / Double(weights.count)
      // 28,800 draws: four standard errors are 3.3 %.
      #expect(abs(variance / (gain / 450) - 1) < 0.034)
      #expect(parameters.start.suffix(64).allSatisfy { $0 == 0 })
    }
  }
}
