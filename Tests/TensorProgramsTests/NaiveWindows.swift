import TensorPrograms

extension Window {
  /// The entries of the window at place `i` that are not padding.
  func naive(_ x: NaiveTensor, _ i: [Int]) -> [Double] {
    let lead = i.count - sizes.count
    return NaiveTensor.indices(sizes).compactMap { tap in
      var index = i
      for axis in tap.indices {
        index[lead + axis] =
          i[lead + axis] * strides[axis] + tap[axis] * dilation[axis] - low[axis]
        guard (0..<x.sizes[lead + axis]).contains(index[lead + axis]) else { return nil }
      }
      return x.at(index)
    }
  }
}

extension Convolution {
  /// Each role as a sum over all terms `x_q w_k c_p` with `q = p stride + k dilation - low`.
  func naive(
    _ a: NaiveTensor, _ b: NaiveTensor, _ result: [Int]
  ) -> ([Int]) -> Double {
    let (x, w, c): ([Int], [Int], [Int]) =
      switch role {
      case .output: (a.sizes, b.sizes, result)
      case .input: (result, b.sizes, a.sizes)
      case .kernel: (a.sizes, result, b.sizes)
      }
    var total: [[Int]: Double] = [:]
    for place in NaiveTensor.indices([c[0], c[1]] + c[2...]) {
      for term in NaiveTensor.indices([w[1]] + w[2...]) {
        let channel = place[1] / (c[1] / groups) * w[1] + term[0]
        let spatial = strides.indices.map {
          place[2 + $0] * strides[$0] + term[1 + $0] * dilation[$0] - low[$0]
        }
        guard zip(spatial, x[2...]).allSatisfy({ (0..<$1).contains($0) }) else { continue }
        let (i, k) = ([place[0], channel] + spatial, [place[1]] + term)
        switch role {
        case .output: total[place, default: 0] += a.at(i) * b.at(k)
        case .input: total[i, default: 0] += a.at(place) * b.at(k)
        case .kernel: total[k, default: 0] += a.at(i) * b.at(place)
        }
      }
    }
    return { total[$0] ?? 0 }
  }
}
