import Foundation
import TensorFiles
import TensorPrograms
import Testing

@Suite("Array files")
struct TensorSourceTests {
  @Test(arguments: ArrayFixtures.files.map(\.name))
  func readsWhatPythonWrote(_ name: String) throws {
    let source = try openTensors(ArrayFixtures.path(name))
    let expected = ArrayFixtures.files.first { $0.name == name }!.arrays
    #expect(source.keys.sorted() == expected.keys.sorted())
    #expect((source is SafetensorsFile) == name.hasSuffix(".safetensors"))
    for (key, tensor) in expected {
      #expect(try source.type(of: key) == tensor.type)
      #expect(try source.tensor(key) == tensor, "\(key)")
    }
  }

  /// Rows are those of the whole array, whatever the order, number type or compression.
  @Test(arguments: ArrayFixtures.files.map(\.name))
  func rowsAreThoseOfTheWhole(_ name: String) throws {
    let source = try openTensors(ArrayFixtures.path(name))
    for key in source.keys {
      let whole = try source.tensor(key)
      guard let count = whole.shape.dimensions.first else {
        #expect(throws: ArrayFileError.self) { try source.tensor(key, rows: 0..<1) }
        continue
      }
      let width = count == 0 ? 0 : whole.shape.count / count
      for lower in 0...count {
        for upper in lower...count {
          let rows = try source.tensor(key, rows: lower..<upper)
          #expect(rows.shape.dimensions == [upper - lower] + whole.shape.dimensions.dropFirst())
          #expect(rows.element == whole.element)
          #expect(rows.doubles == Array(whole.doubles[lower * width..<upper * width]), "\(key)")
        }
      }
      let error = #expect(throws: ArrayFileError.self) {
        try source.tensor(key, rows: 0..<count + 1)
      }
      #expect(error?.description.contains("rows 0 to \(count + 1) were asked for") == true)
    }
  }

  /// Arrays longer than one inflated or converted chunk of 64 KiB.
  @Test(arguments: [false, true])
  func longArraysByRows(compressed: Bool) throws {
    let numbers = (0..<150_000).map { Float(($0 * 7919) % 104_729) / 3 }
    let tensor = Tensor(numbers, shape: [500, 300])
    try ArrayFixtures.withTemporaryPath("long.npz") { path in
      try NpzArchive.write([("a", tensor), ("b", tensor)], to: path, compressed: compressed)
      let archive = try NpzArchive(path)
      #expect(try archive.tensor("b") == tensor)
      for rows in [0..<1, 57..<311, 499..<500, 0..<500] {
        let expected = Array(numbers[rows.lowerBound * 300..<rows.upperBound * 300])
        #expect(try archive.tensor("b", rows: rows) == Tensor(expected, shape: [rows.count, 300]))
      }
    }
  }

  @Test func oneNumpyArrayIsNamedAfterItsFile() throws {
    try ArrayFixtures.withTemporaryPath("images.npy") { path in
      let tensor = ArrayFixtures.batch["x"]!
      try NumpyArray.write(tensor, to: path)
      let source = try openTensors(path)
      #expect(source.keys == ["images"] && source.path == path)
      #expect(try source.tensor("images") == tensor)
      #expect(try source.tensor("x", rows: 1..<3).shape == [2, 3, 2])
      let error = #expect(throws: ArrayFileError.self) { try source.tensor("image") }
      #expect(error?.description.contains("did you mean 'images'?") == true)
    }
  }

  /// Contents decide, not the name.
  @Test func kindIsToldByContents() throws {
    try ArrayFixtures.withTemporaryPath("batch.csv") { path in
      try Data(ArrayFixtures.bytes("zip64.npz")).write(to: URL(fileURLWithPath: path))
      #expect(try openTensors(path).keys == ["x", "target"])
      try Data(ArrayFixtures.bytes("five.safetensors")).write(to: URL(fileURLWithPath: path))
      #expect(try openTensors(path) is SafetensorsFile)
    }
    try ArrayFixtures.withTemporaryPath("batch.npz") { path in
      try Data("a,b\n1,2\n".utf8).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: ArrayFileError.self) { try openTensors(path) }
      #expect(error?.description.contains("not a zip archive") == true)
    }
    try ArrayFixtures.withTemporaryPath("batch.h5") { path in
      try Data([0x89, 0x48, 0x44, 0x46, 0, 0, 0, 0, 0, 0, 0]).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: ArrayFileError.self) { try openTensors(path) }
      #expect(error?.description.contains("is not NPZ, NPY, safetensors or CSV") == true)
    }
    for (path, complaint) in [("/nowhere/a.npz", "no such file"), ("/", "a folder")] {
      let error = #expect(throws: ArrayFileError.self) { try openTensors(path) }
      #expect(error?.description.contains(complaint) == true)
    }
  }

  @Test func tables() throws {
    func source(_ csv: String, target: String = "target") throws -> TableSource {
      try TableSource(Table(csv: csv, path: "t.csv"), target: target)
    }
    let whole = try source("a,target,b\n1,2,3.5\n4,0,6\n")
    #expect(whole.keys == ["x", "target"] && whole.columnNames == ["a", "b"])
    #expect(try whole.tensor("x") == Tensor([1, 3.5, 4, 6] as [Double], shape: [2, 2]))
    #expect(try whole.tensor("target") == Tensor([2, 0] as [Int64], shape: [2]))
    #expect(try whole.tensor("x", rows: 1..<2) == Tensor([4.0, 6], shape: [1, 2]))
    #expect(try source("a,y\n1,0.5\n2,1\n", target: "y").tensor("target").element == .float64)
    #expect(
      try source("a,y\n1,red\n2,blue\n3,red\n", target: "y").tensor("target")
        == Tensor([1, 0, 1] as [Int64], shape: [3]))
    #expect(try source("a,b\n1,2\n").keys == ["x"])
    for (csv, complaint) in [
      ("a,b\n1,\n2,3\n", "t.csv, line 2, column `b`: the value is missing"),
      ("a,b\n1,red\n", "the column is text"), ("target\n1\n", "no column beside the target"),
      ("a,target\n1,\n2,3\n", "column `target`: the target's value is missing"),
    ] {
      let error = #expect(throws: TableError.self) { try source(csv) }
      let text = error?.description ?? ""
      #expect(text.contains(complaint), "\(text)")
    }
  }

  @Test func namesTheFirstNumberThatIsNone() throws {
    var numbers = [Float](repeating: 1, count: 4 * 2 * 8)
    #expect(Tensor(numbers, shape: [4, 2, 8]).firstNonFinite == nil)
    numbers[3 * 16 + 7] = .nan
    numbers[3 * 16 + 9] = .infinity
    let tensor = Tensor(numbers, shape: [4, 2, 8])
    #expect(tensor.firstNonFinite?.index == [3, 0, 7])
    let infinite = Tensor([1, -.infinity] as [Double], shape: [2])
    #expect(infinite.firstNonFinite! == ([1], -.infinity))
    #expect(Tensor([1] as [Int64], shape: []).firstNonFinite == nil)
    #expect(Tensor(scalar: .nan, .float32).firstNonFinite?.index == [])

    let source = try openTensors(ArrayFixtures.path("zip64.npz"))
    try source.checkFinite(source.tensor("x"), of: "x")
    let error = #expect(throws: ArrayFileError.self) {
      try source.checkFinite(tensor, of: "x", firstRow: 10)
    }
    #expect(error?.index == [13, 0, 7] && error?.key == "x")
    #expect(error?.description.contains("zip64.npz, array 'x', index [13, 0, 7]: NaN ") == true)
  }

  @Test func limitsAreKept() throws {
    var limits = TensorFileLimits()
    limits.arrayBytes = 95
    for name in ["zip64.npz", "types.safetensors"] {
      let source = try openTensors(ArrayFixtures.path(name), limits: limits)
      let key = name == "zip64.npz" ? "x" : "int64"
      let error = #expect(throws: ArrayFileError.self) { try source.tensor(key) }
      #expect(error?.description.contains("96 bytes, and at most 95 are read at a time") == true)
      #expect(try source.tensor(key, rows: 0..<2).shape[0] == 2)
    }
    limits = TensorFileLimits()
    limits.arrays = 1
    for name in ["zip64.npz", "types.safetensors"] {
      #expect(throws: ArrayFileError.self) {
        try openTensors(ArrayFixtures.path(name), limits: limits)
      }
    }
  }
}
