import TensorPrograms

/// The samples of a data set cut into batches that a run has memory for.
struct SampleBatches {
  struct Batch {
    var count: Int
    /// Its share of all samples.
    var weight: Double
    var data: [Tensor]
  }

  var batches: [Batch]
  /// The element types and shapes of a batch of this many samples.
  static func types(of data: [Tensor], count: Int) -> [TensorType] {
    data.map { tensor in
      var shape = tensor.shape
      shape[0] = count
      return TensorType(tensor.element, shape)
    }
  }

  /// Equal batches of at most `size` samples, the last one possibly smaller; one batch of a loss without
  /// data.
  init(_ data: [Tensor], size: Int) {
    guard let total = data.first?.shape.dimensions.first else {
      batches = [Batch(count: 1, weight: 1, data: data)]
      return
    }
    batches = stride(from: 0, to: total, by: size).map { start in
      let count = min(size, total - start)
      return Batch(
        count: count, weight: Double(count) / Double(total),
        data: count == total ? data : data.map { $0.samples(start..<start + count) })
    }
  }
}

extension Tensor {
  /// The entries `range` of the leading axis.
  public func samples(_ range: Range<Int>) -> Tensor { samples(at: Array(range)) }

  /// The entries at `indices` of the leading axis, in that order.
  public func samples(at indices: [Int]) -> Tensor {
    var shape = self.shape
    shape[0] = indices.count
    let row = self.shape.removing([0]).count
    func rows<T>(_ values: [T]) -> [T] {
      indices.flatMap { values[$0 * row..<($0 + 1) * row] }
    }
    let storage: Storage =
      switch self.storage {
      case .float32(let values): .float32(rows(values))
      case .float64(let values): .float64(rows(values))
      case .int32(let values): .int32(rows(values))
      case .int64(let values): .int64(rows(values))
      case .bool(let values): .bool(rows(values))
      }
    return Tensor(storage, shape: shape)
  }
}
