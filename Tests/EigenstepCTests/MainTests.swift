import EigenstepC
import Testing

@Suite struct MainTests {
  @Test func `the library says its version and its interface`() {
    #expect(String(cString: eigenstepVersion()).split(separator: ".").count == 3)
    #expect(eigenstepABI() == 1)
  }
}
