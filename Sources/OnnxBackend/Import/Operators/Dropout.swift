import TensorPrograms

extension OperatorCatalogue {
  static let dropout: [OperatorRule] = [
    OperatorRule("Dropout", constants: [1, 2]) { node in
      let x = try node.floating(0)
      let ratio: Double
      var isTraining = node.isTraining
      if node.operatorSet >= 12 {
        ratio = try node.optionalNumber(1) ?? 0.5
        isTraining = try isTraining || (node.optionalNumber(2) ?? 0) != 0
      } else {
        ratio = node.float("ratio", 0.5)
      }
      guard ratio >= 0, ratio < 1 else { throw node.fail("it cannot drop a share of \(ratio)") }
      guard isTraining, ratio > 0 else {
        return [x, node.builder.full(1, TensorType(.bool, x.shape))]
      }
      guard x.shape.count <= 1 << 28 else {
        throw node.fail("\(x.shape) is too large to drop from")
      }
      let mask = node.builder.constant(Tensor(node.kept(x.shape.count, ratio), shape: x.shape))
      return [mask.select(x * (1 / (1 - ratio)), x.zeros()), mask]
    }
  ]
}

extension NodeContext {
  /// Which of `count` elements stay.
  fileprivate func kept(_ count: Int, _ ratio: Double) -> [Bool] {
    randomShares(count).map { $0 >= ratio }
  }

  /// Numbers from 0 up to 1: the same for one seed, node and count.
  ///
  /// Reference: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
  func randomShares(_ count: Int) -> [Double] {
    // The name's FNV-1a hash tells nodes of one seed apart.
    let name = node.name + "\n" + node.output.joined(separator: "\n")
    var state = name.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
    }
    state ^= UInt64(bitPattern: Int64(int("seed", 0)))
    return (0..<count).map { _ in
      state &+= 0x9E37_79B9_7F4A_7C15
      var bits = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
      bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
      return Double((bits ^ (bits >> 31)) >> 11) * 0x1p-53
    }
  }
}
