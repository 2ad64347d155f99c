import Foundation
import Testing

@testable import OnnxBackend

@Suite struct LibrarySearchTests {
  /// A folder of its own for one test, removed afterwards.
  private static func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("eigenstep-\(UUID().uuidString)").resolvingSymlinksInPath()
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private static func write(_ text: String, to url: URL) throws {
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private static func search(
    in folder: URL, variable: String? = nil, python: String? = nil
  ) -> LibrarySearch {
    LibrarySearch(
      environment: variable.map { ["ORT_DYLIB_PATH": $0] } ?? [:],
      executableFolder: folder.path + "/prefix/bin", currentFolder: folder.path + "/project/deep",
      pythonPackageFolder: { python }, systemNames: ["libeigenstep-no-such-library.so"])
  }

  @Test func theVariableIsTakenEvenWhereItIsWrong() throws {
    try Self.withFolder { folder in
      let path = folder.path + "/nowhere.so"
      #expect(Self.search(in: folder, variable: path).find() == .file(path))
      let error = #expect(throws: OnnxRuntimeError.self) {
        try OnnxRuntimeLibrary.load(from: Self.search(in: folder, variable: path))
      }
      #expect(error == .notLoadable(path: path, reason: "there is no such file"))
    }
  }

  @Test func aCorruptFileIsNamed() throws {
    try Self.withFolder { folder in
      let file = folder.appendingPathComponent("libonnxruntime.so")
      try Self.write("this is no library", to: file)
      let error = #expect(throws: OnnxRuntimeError.self) {
        try OnnxRuntimeLibrary.load(from: Self.search(in: folder, variable: file.path))
      }
      guard case .notLoadable(file.path, let reason) = error else {
        Issue.record("expected notLoadable, got \(String(describing: error))")
        return
      }
      #expect(!reason.isEmpty && !reason.contains(file.path))
      #expect(error?.description.contains(file.path) == true)
    }
  }

  /// A package that depends on this one has no bootstrap folder of its own, but SwiftPM's checkout may.
  @Test(arguments: ["prefix/checkouts", "project/.build/checkouts"])
  func `a package that depends on this one finds what was installed in its checkout`(
    checkouts: String
  ) throws {
    try Self.withFolder { folder in
      let search = Self.search(in: folder)
      guard case .none(let tried) = search.find() else {
        Issue.record("found something in an empty folder")
        return
      }
      #expect(tried.contains { $0.contains("in SwiftPM's checkout of Eigenstep") })
      let sentence = "\(OnnxRuntimeError.notFound(tried: tried))"
      #expect(sentence.contains("ORT_DYLIB_PATH") && sentence.contains("pip install onnxruntime"))
      let place = folder.path + "/\(checkouts)/Eigenstep/.eigenstep/onnxruntime"
      try Self.write("", to: URL(fileURLWithPath: place + "/libonnxruntime.so"))
      #expect(search.find() == .file(place + "/libonnxruntime.so"))
      // One of the project itself comes first.
      let own = folder.path + "/project/.eigenstep/onnxruntime/libonnxruntime.so"
      try Self.write("", to: URL(fileURLWithPath: own))
      #expect(search.find() == .file(own))
    }
  }

  @Test func placesAreAskedInTheirOrder() throws {
    try Self.withFolder { folder in
      let python = folder.path + "/python/onnxruntime"
      let places = [
        "python/onnxruntime/capi/libonnxruntime.so.1.20.1",
        "project/.eigenstep/onnxruntime/onnxruntime/capi/libonnxruntime.so.1.20.1",
        "prefix/lib/eigenstep/libonnxruntime.so.1.20.1",
        "prefix/bin/libonnxruntime.1.20.1.dylib",
      ]
      try FileManager.default.createDirectory(
        atPath: folder.path + "/prefix/bin", withIntermediateDirectories: true)
      for place in places {
        try Self.write("", to: folder.appendingPathComponent(place))
        guard case .file(let found) = Self.search(in: folder, python: python).find() else {
          Issue.record("nothing found with \(place) in place")
          continue
        }
        #expect(
          URL(fileURLWithPath: found).standardizedFileURL.path == folder.path + "/" + place)
      }
    }
  }

  @Test func theNewestIsTakenAndProvidersAreNot() throws {
    try Self.withFolder { folder in
      for name in [
        "libonnxruntime.so.1.9.0", "libonnxruntime.so.1.31.1", "libonnxruntime.so.1.4",
        "libonnxruntime_providers_shared.so", "libonnx.so",
      ] {
        try Self.write("", to: folder.appendingPathComponent(name))
      }
      let found = LibrarySearch.library(in: folder.path)
      #expect(found == folder.path + "/libonnxruntime.so.1.31.1")
    }
  }

  @Test func nothingFoundListsEveryPlaceAndTheRemedy() throws {
    try Self.withFolder { folder in
      let error = #expect(throws: OnnxRuntimeError.self) {
        try OnnxRuntimeLibrary.load(from: Self.search(in: folder))
      }
      let text = try #require(error?.description)
      for part in [
        "ORT_DYLIB_PATH", "prefix/bin", "lib/eigenstep", ".eigenstep/onnxruntime", "python3",
        "libeigenstep-no-such-library.so", "make bootstrap", "pip install onnxruntime",
        "`executor: reference`",
      ] {
        #expect(text.contains(part), "\(part) is missing in: \(text)")
      }
    }
  }

  /// Small libraries made on the spot: one of something else, one of a runtime too old.
  @Test(
    arguments: [
      ("int unrelated(void) { return 1; }", "exports no OrtGetApiBase"),
      (
        """
        #include <stdint.h>
        static const void *api(uint32_t version) { (void)version; return 0; }
        static const char *version(void) { return "1.2.3"; }
        static const struct { const void *(*a)(uint32_t); const char *(*v)(void); }
          base = { api, version };
        const void *OrtGetApiBase(void) { return &base; }
        """, "is version 1.2.3, older than interface version 17"
      ),
    ])
  func aLibraryOfSomethingElseOrTooOldIsRefused(source: String, words: String) throws {
    try Self.withFolder { folder in
      let library = folder.path + "/libonnxruntime.so"
      try Self.write(source, to: folder.appendingPathComponent("stub.c"))
      let compiler = Process()
      compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      compiler.arguments = ["clang", "-shared", "-fPIC", "-o", library, folder.path + "/stub.c"]
      compiler.standardError = FileHandle.nullDevice
      try compiler.run()
      compiler.waitUntilExit()
      // Swift's toolchain brings a C compiler.
      try #require(compiler.terminationStatus == 0, "clang did not compile the library")
      let error = #expect(throws: OnnxRuntimeError.self) {
        try OnnxRuntimeLibrary.load(from: Self.search(in: folder, variable: library))
      }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
      #expect(error?.description.contains(library) == true)
    }
  }
}
