import TensorPrograms

/// A tensor as a function of its index: structure written down index by index, with none of the
/// interpreter's strides.
struct NaiveTensor {
  var sizes: [Int]
  var at: ([Int]) -> Double

  init(_ sizes: [Int], _ at: @escaping ([Int]) -> Double) {
    self.sizes = sizes
    self.at = at
  }

  init(_ tensor: Tensor) {
    let (values, sizes) = (tensor.doubles, tensor.shape.dimensions)
    self.init(sizes) { index in values[zip(index, sizes).reduce(0) { $0 * $1.1 + $1.0 }] }
  }

  /// All indices below `sizes` in row-major order.
  static func indices(_ sizes: [Int]) -> [[Int]] {
    sizes.reduce([[]]) { heads, size in heads.flatMap { head in (0..<size).map { head + [$0] } } }
  }

  var values: [Double] { Self.indices(sizes).map(at) }
}

extension Primitive {
  /// The results of a structural primitive, a reduction or a dot; nil for all others.
  func naive(_ x: [NaiveTensor], _ results: [[Int]]) -> [NaiveTensor]? {
    func one(_ at: @escaping ([Int]) -> Double) -> [NaiveTensor] { [NaiveTensor(results[0], at)] }
    switch self {
    case .transpose(let permutation):
      return one { i in x[0].at(permutation.indices.map { i[permutation.firstIndex(of: $0)!] }) }
    case .broadcast(_, let axes):
      return one { i in x[0].at(axes.enumerated().map { x[0].sizes[$0] == 1 ? 0 : i[$1] }) }
    case .reshape:
      let (order, values) = (NaiveTensor.indices(results[0]), x[0].values)
      return one { i in values[order.firstIndex(of: i)!] }
    case .slice(let start, _, let stride):
      return one { i in x[0].at(i.indices.map { start[$0] + i[$0] * stride[$0] }) }
    case .split(let sizes, let axis):
      return sizes.indices.map { part in
        NaiveTensor(results[part]) { i in
          var index = i
          index[axis] += sizes[..<part].reduce(0, +)
          return x[0].at(index)
        }
      }
    case .pad(let low, _, let interior, let value):
      return one { i in
        var index: [Int] = []
        for axis in i.indices {
          let (position, step) = (i[axis] - low[axis], interior[axis] + 1)
          guard position >= 0, position % step == 0, position / step < x[0].sizes[axis]
          else { return value }
          index.append(position / step)
        }
        return x[0].at(index)
      }
    case .concatenate(let axis):
      return one { i in
        var index = i
        for part in x {
          if index[axis] < part.sizes[axis] { return part.at(index) }
          index[axis] -= part.sizes[axis]
        }
        return .nan
      }
    case .reverse(let axes):
      return one { i in
        x[0].at(i.indices.map { axes.contains($0) ? results[0][$0] - 1 - i[$0] : i[$0] })
      }
    case .gather(let axis, let batch):
      let own = x[1].sizes.count - batch
      return one { i in
        let chosen = Int(x[1].at(Array(i[..<batch] + i[axis..<(axis + own)])))
        return x[0].at(Array(i[..<axis]) + [chosen] + i[(axis + own)...])
      }
    case .scatterAdd(let axis, let batch, _):
      return one { i in
        var total = 0.0
        for o in NaiveTensor.indices(Array(x[1].sizes[batch...]))
        where Int(x[1].at(Array(i[..<batch]) + o)) == i[axis] {
          total += x[0].at(Array(i[..<axis]) + o + i[(axis + 1)...])
        }
        return total
      }
    case .reduceSum(let axes): return one { i in reduced(x[0], axes, i).reduce(0, +) }
    case .reduceMax(let axes): return one { i in reduced(x[0], axes, i).max()! }
    case .dot(let d):
      let (leftFree, rightFree) = (
        d.leftFree(rank: x[0].sizes.count), d.rightFree(rank: x[1].sizes.count)
      )
      return one { i in
        let batch = Array(i[..<d.leftBatch.count])
        let left = Array(i[batch.count..<(batch.count + leftFree.count)])
        let right = Array(i[(batch.count + leftFree.count)...])
        return NaiveTensor.indices(d.leftContracting.map { x[0].sizes[$0] }).map { k in
          x[0].at(placed([(d.leftBatch, batch), (leftFree, left), (d.leftContracting, k)]))
            * x[1].at(placed([(d.rightBatch, batch), (rightFree, right), (d.rightContracting, k)]))
        }.reduce(0, +)
      }
    case .convolution(let convolution):
      return one(convolution.naive(x[0], x[1], results[0]))
    case .windowMax(let window):
      return one { window.naive(x[0], $0).max() ?? -.infinity }
    case .windowSum(let window):
      return one { window.naive(x[0], $0).reduce(0, +) }
    case .cumulativeSum(let axis, let reversed):
      return one { i in
        (reversed ? Array(i[axis]..<x[0].sizes[axis]) : Array(0...i[axis])).reduce(0) {
          var index = i
          index[axis] = $1
          return $0 + x[0].at(index)
        }
      }
    case .argMax(let axis):
      return one { i in
        let row = (0..<x[0].sizes[axis]).map { place -> Double in
          var index = i
          index.insert(place, at: axis)
          return x[0].at(index)
        }
        return Double(row.firstIndex(of: row.max()!)!)
      }
    case .sort(let axis, let descending):
      func row(_ i: [Int]) -> [(value: Double, place: Int)] {
        (0..<x[0].sizes[axis]).map { place in
          var index = i
          index[axis] = place
          return (x[0].at(index), place)
        }.sorted { a, b in
          a.value == b.value ? a.place < b.place : (a.value < b.value) != descending
        }
      }
      return [
        NaiveTensor(results[0]) { row($0)[$0[axis]].value },
        NaiveTensor(results[1]) { Double(row($0)[$0[axis]].place) },
      ]
    case .unary, .binary, .compare, .select, .convert, .stopGradient, .constant, .iota, .call,
      .scan:
      return nil
    }
  }

  private func reduced(_ x: NaiveTensor, _ axes: [Int], _ kept: [Int]) -> [Double] {
    let others = x.sizes.indices.filter { !axes.contains($0) }
    return NaiveTensor.indices(axes.map { x.sizes[$0] }).map { inner in
      x.at(placed([(others, kept), (axes, inner)]))
    }
  }

  /// The index with `values` at `axes`, for each pair.
  private func placed(_ parts: [(axes: [Int], values: [Int])]) -> [Int] {
    var index = [Int](repeating: 0, count: parts.map(\.axes.count).reduce(0, +))
    for part in parts {
      for (axis, value) in zip(part.axes, part.values) { index[axis] = value }
    }
    return index
  }
}
