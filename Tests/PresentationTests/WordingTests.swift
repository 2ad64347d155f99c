import Presentation
import Testing

@Suite struct WordingTests {
  @Test func `numbers in sentences`() {
    let cases: [(Double, String)] = [
      (0, "0"), (1, "1"), (0.0213, "0.0213"), (45.520838, "45.5"), (458_868_920, "4.59e8"),
      (665841.2, "665,841"), (1234, "1,234"), (1.5e-6, "1.5e-6"), (100, "100"), (0.1, "0.1"),
      (-2.5, "-2.5"), (.infinity, "infinity"), (.nan, "not a number"), (1e6, "1e6"),
      (-1234.4, "-1,234"), (0.001, "0.001"),
    ]
    for (value, text) in cases { #expect(Wording.number(value) == text) }
    let shares: [(Double, String)] = [
      (0.9, "0.9"), (0.99, "0.99"), (0.99995, "0.99995"), (0.999_812_3, "0.99981"), (1, "1"),
      (0.5, "0.5"), (0, "0"), (0.970_4, "0.97"),
    ]
    for (value, text) in shares { #expect(Wording.share(value) == text) }
    #expect(Wording.count(1, "step") == "1 step")
    #expect(Wording.count(115131, "step") == "115,131 steps")
    #expect(Wording.count(4_600_000_000, "step") == "4.6e9 steps")
    #expect(Wording.list(["a"]) == "a")
    #expect(Wording.list(["a", "b", "c"]) == "a, b and c")
    #expect(Wording.list(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more")
  }

  @Test func `factors next to one show their distance from it`() {
    let factors: [(Double, String)] = [
      (0.5, "0.5"), (0.9998, "0.9998"), (1 - 2e-7, "1 - 2e-7"), (1 + 3e-9, "1 + 3e-9"), (1, "1"),
      (-1 + 2e-7, "-(1 - 2e-7)"), (-0.5, "-0.5"), (0, "0"),
    ]
    for (factor, text) in factors { #expect(Wording.kept(factor) == text) }
  }

  @Test func `three digits as C prints them`() {
    let numbers: [(Double, String)] = [
      (0.000_012_34, "1.23e-05"), (1e-8, "1e-08"), (0.5, "0.5"), (123_456, "1.23e+05"), (0, "0"),
    ]
    for (number, text) in numbers { #expect(Wording.short(number) == text) }
  }

  @Test func `each format`() {
    #expect(NumberFormat.significant(4).text(45.520838) == "45.52")
    #expect(NumberFormat.count.text(1234.4) == "1,234")
    #expect(NumberFormat.count.text(.infinity) == "infinity")
    #expect(NumberFormat.share.text(0.99995) == "0.99995")
    #expect(NumberFormat.percent.text(0.125) == "12.5 %")
    #expect(NumberFormat.kept.text(1 - 2e-7) == "1 - 2e-7")
    #expect(NumberFormat.plusMinus.text(0.25) == "+- 0.25")
    #expect(NumberFormat.percent.text(0.09, to: 0.13) == "9 to 13 %")
    #expect(NumberFormat.percent.text(0.12, to: 0.12) == "12 %")
    #expect(NumberFormat.significant(3).text(1, to: 2.5) == "1 to 2.5")
  }

  @Test func `a name out of a file stands in a sentence`() {
    #expect(Printable.name("a\u{1B}[31mb\tc\u{202E}d") == "a?[31mb?c?d")
    #expect(Printable.name("a\u{A0}b c") == "a?b c")
    let long = String(repeating: "x", count: 81)
    #expect(Printable.name(long) == String(repeating: "x", count: 80) + "...")
  }
}
