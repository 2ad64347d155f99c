import TensorPrograms

/// A matrix product that is free to take in a factor or an addend: one equation will read it, and no
/// node does yet.
struct OpenProduct {
  /// What to evaluate again in order, last first, when the product moves: views and products that
  /// have taken this one in, then the product itself.
  var nodes: [String]
  /// Whether a factor may still be taken in: none after an addend, which it would miss.
  var takesFactor: Bool
  /// The axes of its rows and of its columns; nil if it can take no addend.
  var matrix: [[Int]]?
  /// Numbers of its rows and columns.
  var sizes: [Int]
}

/// Sums and multiples of matrix products become part of the product: `Gemm` is
/// `alpha A B + C` in one pass.
extension ProgramLowering {
  /// `product + addend` as the product's C.
  mutating func addedToProduct(_ operands: [LoweredValue]) -> LoweredValue? {
    for (product, addend) in [(operands[1], operands[0]), (operands[0], operands[1])] {
      guard let open = self[openProduct: product],
        let view = asAddend(addend, of: product, open)
      else { continue }
      let inner = self[openProduct: addend]
      builder.amendNode(of: open.nodes.last!) { $0.input.append(view.name) }
      for name in open.nodes.dropLast().reversed() { builder.amendNode(of: name) { _ in } }
      self[openProduct: addend] = nil
      // An addend that is itself a product may take the next one in, seen through this one.
      if let inner, inner.matrix != nil, inner.matrix == open.matrix {
        let between = view.name == addend.name ? [] : [view.name]
        self[openProduct: product] = OpenProduct(
          nodes: open.nodes + between + inner.nodes, takesFactor: false,
          matrix: inner.matrix, sizes: inner.sizes)
      } else {
        self[openProduct: product] = nil
      }
      return product
    }
    return nil
  }

  /// The addend as `Gemm` broadcasts it: a matrix, a row, a column or a number.
  private mutating func asAddend(
    _ addend: LoweredValue, of product: LoweredValue, _ open: OpenProduct
  ) -> LoweredValue? {
    guard let matrix = open.matrix, addend.axes.allSatisfy(product.axes.contains) else {
      return nil
    }
    let order = product.axes.filter(addend.axes.contains)
    if order == product.axes { return viewed(arranged(addend, order), open.sizes) }
    if order.isEmpty { return viewed(addend, []) }
    if order == matrix[1] { return viewed(arranged(addend, order), [open.sizes[1]]) }
    if order == matrix[0] { return viewed(arranged(addend, order), [open.sizes[0], 1]) }
    return nil
  }

  /// `product * factor` as the product's alpha, where the factor is one number that float32, ONNX's
  /// type of attributes, holds exactly.
  mutating func scaledProduct(_ operands: [LoweredValue]) -> LoweredValue? {
    for (product, factor) in [(operands[0], operands[1]), (operands[1], operands[0])] {
      guard var open = self[openProduct: product], open.takesFactor,
        let value = scalarValue(factor), Double(Float(value)) == value,
        // A product that is infinite or NaN keeps what these make of it.
        value != 0, value.isFinite
      else { continue }
      builder.amendNode(of: open.nodes.last!) { node in
        node.attribute.append(GraphBuilder.attribute("alpha", .float(Float(value))))
      }
      for name in open.nodes.dropLast().reversed() { builder.amendNode(of: name) { _ in } }
      open.takesFactor = false
      self[openProduct: product] = open
      return product
    }
    return nil
  }
}
