extension Convolution {
  /// The result's type; see `Primitive.resultTypes`.
  func resultType(_ a: TensorType, _ b: TensorType) -> Result<TensorType, ProgramError> {
    func fail(_ why: String) -> Result<TensorType, ProgramError> {
      .failure(.mismatch("convolution cannot take \(a) and \(b): \(why)"))
    }
    if let fault { return fail(fault) }
    guard a.element == b.element, a.element.isFloating else {
      return fail("it needs floating-point numbers of one type")
    }
    guard a.shape.rank == spatialRank + 2, b.shape.rank == spatialRank + 2 else {
      return fail("it needs two axes before the \(spatialRank) spatial ones")
    }
    let (left, right) = (a.shape.dimensions, b.shape.dimensions)
    let (leftSpatial, rightSpatial) = (Array(left[2...]), Array(right[2...]))
    /// Whether an input of these sizes gives that output with that window.
    func fits(_ input: [Int], _ taps: [Int], _ output: [Int]) -> Bool {
      taps.allSatisfy { $0 >= 1 } && window(taps).positions(input) == output
    }
    switch role {
    case .output:
      guard left[1] == right[1] * groups, right[0] % groups == 0 else {
        return fail("\(left[1]) channels in \(groups) groups do not fit the kernel")
      }
      guard rightSpatial.allSatisfy({ $0 >= 1 }) else { return fail("the window is empty") }
      return .success(
        TensorType(
          a.element, Shape([left[0], right[0]] + window(rightSpatial).positions(leftSpatial))))
    case .input(let spatial):
      guard left[1] == right[0], right[0] % groups == 0 else {
        return fail("\(left[1]) channels in \(groups) groups do not fit the kernel")
      }
      guard spatial.count == spatialRank, fits(spatial, rightSpatial, leftSpatial) else {
        return fail("a convolution of inputs of sizes \(spatial) gives other outputs")
      }
      return .success(TensorType(a.element, Shape([left[0], right[1] * groups] + spatial)))
    case .kernel(let taps):
      guard left[0] == right[0], left[1] % groups == 0, right[1] % groups == 0 else {
        return fail("the samples differ, or the channels do not divide into \(groups) groups")
      }
      guard taps.count == spatialRank, fits(leftSpatial, taps, rightSpatial) else {
        return fail("a convolution with a window of \(taps) gives other outputs")
      }
      return .success(TensorType(a.element, Shape([right[1], left[1] / groups] + taps)))
    }
  }

  /// The cotangent of the one operand without a value; see `Primitive.transpose`.
  func transpose(_ operands: [TransposeOperand], _ c: Traced) -> [Traced?] {
    func spatial(_ type: TensorType) -> [Int] { Array(type.shape.dimensions[2...]) }
    let (left, right) = (operands[0].type, operands[1].type)
    switch (role, operands[0].value, operands[1].value) {
    case (.output, nil, let w?):
      return [c.emit(with(.input(spatial: spatial(left))), w), nil]
    case (.output, let x?, nil):
      return [nil, x.emit(with(.kernel(window: spatial(right))), c)]
    case (.input, nil, let w?):
      return [c.emit(with(.output), w), nil]
    case (.input, let y?, nil):
      return [nil, c.emit(with(.kernel(window: spatial(right))), y)]
    case (.kernel, nil, let y?):
      return [y.emit(with(.input(spatial: spatial(left))), c), nil]
    case (.kernel, let x?, nil):
      return [nil, x.emit(with(.output), c)]
    default:
      preconditionFailure("convolution is linear in one operand at a time")
    }
  }

  /// The map over a batch: it joins the samples where only the image is batched, else the channels.
  func batch(_ x: [Batched], size: Int) -> Traced {
    let (a, b) = (x[0].value, x[1].value)
    let both = x[0].isBatched && x[1].isBatched
    let joined = groups * size
    switch role {
    case .output, .input:
      if !x[1].isBatched {
        let result = a.joining(0, 1).emit(with(role), b)
        return result.splitting(0, [size, result.shape[0] / size])
      }
      if both {
        let result = a.moving(0, to: 1).joining(1, 2).emit(
          with(role, groups: joined), b.joining(0, 1))
        return result.splitting(1, [size, result.shape[1] / size]).moving(1, to: 0)
      }
      if case .output = role {
        // Kernels in the order group, batch, output channel.
        let perGroup = b.shape[1] / groups
        let kernels = b.splitting(1, [groups, perGroup]).moving(0, to: 1).joining(0, 2)
        return a.emit(with(role), kernels).splitting(1, [groups, size, perGroup])
          .moving(2, to: 0).joining(2, 3)
      }
      let kernels = b.moving(0, to: 1).joining(1, 2)
      return a.emit(with(role), kernels).splitting(1, [groups, size, b.shape[2]])
        .moving(2, to: 0).joining(2, 3)

    case .kernel:
      /// `[batch, N, channels]` as `[N, group x batch x channels of the group]`.
      func grouped(_ image: Traced) -> Traced {
        image.splitting(2, [groups, image.shape[2] / groups]).moving(0, to: 2).joining(1, 3)
      }
      if both {
        return a.moving(0, to: 1).joining(1, 2).emit(
          with(role, groups: joined), b.moving(0, to: 1).joining(1, 2)
        ).splitting(0, [size, b.shape[2]])
      }
      if x[0].isBatched {
        let result = grouped(a).emit(with(role), b)
        return result.splitting(1, [size, result.shape[1] / size]).moving(1, to: 0)
      }
      let perGroup = b.shape[2] / groups
      return a.emit(with(role), grouped(b)).splitting(0, [groups, size, perGroup])
        .moving(1, to: 0).joining(1, 2)
    }
  }
}

extension Traced {
  /// Axes `first...last` as one.
  fileprivate func joining(_ first: Int, _ last: Int) -> Traced {
    let sizes = shape.dimensions
    return reshaped(
      Shape(sizes[..<first] + [sizes[first...last].reduce(1, *)] + sizes[(last + 1)...]))
  }

  /// Axis `axis` as several.
  fileprivate func splitting(_ axis: Int, _ sizes: [Int]) -> Traced {
    reshaped(Shape(shape.dimensions[..<axis] + sizes + shape.dimensions[(axis + 1)...]))
  }

  /// With axis `axis` moved so that it becomes axis `place`.
  fileprivate func moving(_ axis: Int, to place: Int) -> Traced {
    var order = Array(0..<rank)
    order.remove(at: axis)
    order.insert(axis, at: place)
    return transposed(order)
  }
}
