import TensorPrograms

/// Arrays that a program holds and that stand in for a file: read wherever a file of that name would be,
/// as a table or as arrays.
///
///     let held = HeldFile(tensors: ["x": images, "target": labels])
///     try HeldFile.with(["digits": held]) {
///       try diagnose(request)  // a request whose data are the file "memory:digits"
///     }
///
/// In a table, an array of one axis is a column and one of two axes has one per column of its own, called
/// as `columnNames` says or `name1`, `name2`, ... NaN is a missing value.
public struct HeldFile: Sendable {
  public var tensors: [String: Tensor]
  /// Columns of words, nil where there is none.
  public var words: [String: [String?]]
  public var columnNames: [String: [String]]
  /// In which order the arrays come.
  public let keys: [String]

  /// What the names of such files begin with.
  public static let prefix = "memory:"

  public init(
    tensors: [String: Tensor], words: [String: [String?]] = [:],
    columnNames: [String: [String]] = [:], order: [String]? = nil
  ) {
    self.tensors = tensors
    self.words = words
    self.columnNames = columnNames
    keys = order ?? (Array(tensors.keys) + Array(words.keys)).sorted()
  }

  /// Whether a path is the name of such a file.
  public static func isName(_ path: String) -> Bool { path.hasPrefix(prefix) }

  @TaskLocal private static var held: [String: HeldFile] = [:]

  /// Carries out `work`, for which these are there; the names without the prefix.
  ///
  /// Every reader of files sees them, whatever the way that a name took through requests and options; other
  /// threads and tasks do not.
  public static func with<Result>(
    _ files: [String: HeldFile], _ work: () throws -> Result
  ) rethrows -> Result {
    try $held.withValue(files, operation: work)
  }

  /// The one that stands in for a path; nil for a path of the disk.
  package static func named(_ path: String) -> HeldFile? {
    isName(path) ? held[String(path.dropFirst(prefix.count))] : nil
  }

  /// - Throws: `TableError` where the arrays have not as many rows, or more than two axes.
  func table(path: String) throws -> Table {
    var columns: [Column] = []
    var rowCount: Int?
    for key in keys {
      let new: [Column]
      if let words = words[key] {
        new = [Column(name: key, cells: .text(Column.Words(words)), fault: nil)]
      } else if let tensor = tensors[key] {
        new = try self.columns(tensor, key, path: path)
      } else {
        continue
      }
      let rows = words[key]?.count ?? tensors[key]?.shape.dimensions.first ?? 0
      guard rowCount ?? rows == rows else {
        throw TableError(
          "`\(key)` has \(counted(rows, "row")), and what stands before it \(rowCount!); give all as many.",
          path: path)
      }
      rowCount = rows
      columns += new
    }
    guard let rowCount, rowCount > 0 else {
      throw TableError("there are no rows; give one or more.", path: path)
    }
    var seen: Set<String> = []
    if let twice = columns.first(where: { !seen.insert($0.name).inserted }) {
      throw TableError("two columns are called `\(twice.name)`; rename one.", path: path)
    }
    return Table(path: path, columns: columns, rowCount: rowCount, lines: Array(1...rowCount))
  }

  private func columns(_ tensor: Tensor, _ key: String, path: String) throws -> [Column] {
    let sizes = tensor.shape.dimensions
    let numbers = tensor.doubles
    func column(_ name: String, _ values: [Double]) -> Column {
      let fault = values.firstIndex(where: \.isInfinite).map { row in
        Column.Fault(
          row: row, complaint: "`\(values[row])` is not a finite number", remedy: .mendOrRemoveRow)
      }
      return Column(name: name, cells: .numeric(Column.Numbers(storage: values)), fault: fault)
    }
    switch sizes.count {
    case 1: return [column(key, numbers)]
    case 2:
      let width = sizes[1]
      let names = columnNames[key] ?? (0..<width).map { "\(key)\($0 + 1)" }
      guard names.count == width else {
        throw TableError(
          "`\(key)` has \(counted(width, "column")), but \(names.count) names; give one for each.",
          path: path)
      }
      return (0..<width).map { index in
        column(names[index], (0..<sizes[0]).map { numbers[$0 * width + index] })
      }
    default:
      throw TableError(
        "`\(key)` has \(sizes.count) axes, and a table takes samples by features; reshape it.",
        path: path)
    }
  }

  /// As the arrays of a file.
  func source(path: String) -> any TensorSource { HeldArrays(path: path, file: self) }
}

private struct HeldArrays: TensorSource {
  let path: String
  let file: HeldFile
  var keys: [String] { file.keys.filter { file.tensors[$0] != nil } }

  func type(of key: String) throws -> TensorType { try tensor(key).type }

  func tensor(_ key: String) throws -> Tensor {
    guard let tensor = file.tensors[key] else { throw missingKey(key, among: keys, path: path) }
    return tensor
  }

  func tensor(_ key: String, rows: Range<Int>) throws -> Tensor {
    let whole = try tensor(key)
    try ArrayPlace(path: path, key: key).check(rows, of: whole.type)
    return whole.rows(rows)
  }
}
