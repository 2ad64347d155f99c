/// Whether texts are dates or times of day, as tables have them.
enum DateSpelling {
  private static let months: Set<String> = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec",
    "january", "february", "march", "april", "june", "july", "august", "september", "october",
    "november", "december",
  ]
  private static let days: Set<String> = [
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "monday", "tuesday", "wednesday", "thursday",
    "friday", "saturday", "sunday",
  ]

  /// A date such as 2024-01-31, 31/01/2024, 31.1.24, Jan 31, 2024 or 2024-01, with a time of day or
  /// without; or a time of day such as 12:30 or 9:05:30 PM.
  static func matches(_ text: String) -> Bool {
    guard text.utf8.count <= 40, text.utf8.contains(where: { (0x30...0x39).contains($0) }) else {
      return false
    }
    var words = text.lowercased().split(whereSeparator: { " ,".contains($0) }).map(String.init)
    // `2024-01-31t12:00:00z`
    if words.count == 1, let split = words[0].firstIndex(of: "t"), isDate(words[0][..<split]) {
      let time = words[0][words[0].index(after: split)...]
      words = [String(words[0][..<split]), String(time)]
    }
    var (dates, times, numbers, names) = (0, 0, 0, 0)
    for word in words {
      if isDate(word[...]) {
        dates += 1
      } else if isTime(word) {
        times += 1
      } else if months.contains(word.hasSuffix(".") ? String(word.dropLast()) : word) {
        names += 1
      } else if ["am", "pm", "utc", "gmt", "z"].contains(word) || isOffset(word) {
        guard times == 1 else { return false }
      } else if days.contains(word.hasSuffix(".") ? String(word.dropLast()) : word) {
        continue
      } else if let number = Int(word.hasSuffix(".") ? String(word.dropLast()) : word),
        (1...31).contains(number) || (1500...2200).contains(number)
      {
        numbers += 1
      } else {
        return false
      }
    }
    guard times <= 1 else { return false }
    switch (dates, names) {
    case (1, 0): return numbers == 0
    case (0, 1): return (1...2).contains(numbers)
    case (0, 0): return times == 1 && numbers == 0
    default: return false
    }
  }

  /// A whole number such as 20240131.
  static func matches(_ number: Double) -> Bool {
    guard number == number.rounded(), (15_000_101...22_001_231).contains(number) else {
      return false
    }
    let digits = Int(number)
    return (1...12).contains(digits / 100 % 100) && (1...31).contains(digits % 100)
  }

  /// Day, month and year in any order, the year first or last; or year and month; or `31-jan-2024`.
  private static func isDate(_ text: Substring) -> Bool {
    guard let mark = text.first(where: { "-/.".contains($0) }) else { return false }
    let parts = text.split(separator: mark, omittingEmptySubsequences: false)
    if parts.count == 3, months.contains(String(parts[1])) {
      return number(parts[0], 1...31) != nil && number(parts[2], 0...2200) != nil
    }
    let numbers = parts.compactMap { number($0, 0...2200) }
    guard numbers.count == parts.count else { return false }
    if numbers.count == 2 {
      // A decimal number otherwise.
      return mark != "." && parts[0].count == 4 && (1500...2200).contains(numbers[0])
        && (1...12).contains(numbers[1])
    }
    guard numbers.count == 3 else { return false }
    if parts[0].count == 4 { return isMonthAndDay(numbers[1], numbers[2]) }
    return parts[0].count <= 2 && parts[1].count <= 2 && [2, 4].contains(parts[2].count)
      && isMonthAndDay(numbers[0], numbers[1])
  }

  private static func isMonthAndDay(_ first: Int, _ second: Int) -> Bool {
    (1...12).contains(min(first, second)) && (1...31).contains(max(first, second))
  }

  private static func isTime(_ word: String) -> Bool {
    var text = word[...]
    for end in ["z", "am", "pm"] where text.hasSuffix(end) { text = text.dropLast(end.count) }
    if let sign = text.lastIndex(where: { "+-".contains($0) }) {
      guard isOffset(String(text[sign...])) else { return false }
      text = text[..<sign]
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, number(parts[0], 0...24) != nil,
      parts[1].count == 2, number(parts[1], 0...59) != nil
    else { return false }
    guard parts.count == 3 else { return true }
    let seconds = parts[2].split(separator: ".", omittingEmptySubsequences: false)
    return seconds.count <= 2 && number(seconds[0], 0...60) != nil
      && seconds.dropFirst().allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isWholeNumber) }
  }

  /// `+01:00`, `-0530`.
  private static func isOffset(_ word: String) -> Bool {
    guard let sign = word.first, sign == "+" || sign == "-" else { return false }
    let digits = word.dropFirst().filter { $0 != ":" }
    return (digits.count == 2 || digits.count == 4) && digits.allSatisfy(\.isWholeNumber)
  }

  private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
    guard (1...4).contains(text.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let number = Int(text), range.contains(number)
    else { return nil }
    return number
  }
}
