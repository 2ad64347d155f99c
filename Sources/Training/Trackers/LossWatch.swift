import Foundation
import Presentation

/// What the losses of a run's own steps say of it, whatever is known of the limits of its rate: whether they have
/// left their band, stay above the start, or lie flat behind a jump.
///
/// The band ends at `max + 9 max(|max|, max - min)` of the last `bandLength` losses within it, or at ten times the
/// loss at the start where that is more: healthy runs pass a hundred times the losses before, but not the start.
///
/// Where the loss of the best constant answer is known, a run that starts below it, as a fine-tuning does, is not
/// lost while it stays below and comes down again; and one that starts far above has not learned anything before it
/// is below.
struct LossWatch: Sendable, Equatable {
  /// Losses that the band is made of.
  static let bandLength = 50
  /// Losses that are judged together, one lot after the other.
  static let lot = 20
  /// Losses above the band, in a row, that are an alarm by themselves.
  static let patience = 6

  /// Why a run is lost by its losses alone.
  enum Verdict: Equatable {
    /// So many in a row above the band.
    case aboveBand(Int)
    /// The mean of a lot lies above the start by more than its own uncertainty.
    case aboveStart(mean: Double)
    /// Flat, not far below the start, since a jump to a loss above it so many steps ago.
    case flat(mean: Double, peak: Double, steps: Int)
  }

  /// Whether the loss at the start is that of a batch: off by as much as any other, which is no part of `memory`.
  var startIsDrawn = false
  /// The loss of the best answer that is the same for all samples; nil where it is not known. No part of the memory.
  var constantLoss: Double?
  var numbers = Numbers()
  private(set) var band: [Double] = []
  /// The last ones since the watch began anew, at most a lot.
  private(set) var recent: [Double] = []

  struct Numbers: Sendable, Equatable {
    /// Over all samples at the start; NaN before it is known.
    var start = Double.nan
    /// Steps in a row with a loss above the band, and the first and the last of these losses.
    var above = 0.0
    var firstAbove = Double.nan
    var lastAbove = Double.nan
    /// Losses since the watch began anew.
    var count = 0.0
    /// The highest loss since, how many steps ago, and whether the rate was over a known limit then: 1, 0, or NaN
    /// where no limit was known.
    var peak = Double.nan
    var peakAge = 0.0
    var peakIsOver = Double.nan
    /// Whether a run that stays above the start, or is flat, was told of.
    var isTold = 0.0
    /// Lots in a row above the start and below the best constant answer, and the highest of their means.
    var lotsAbove = 0.0
    var highestLot = 0.0

    static let fields: [WritableKeyPath<Numbers, Double> & Sendable] = [
      \.start, \.above, \.firstAbove, \.lastAbove, \.count, \.peak, \.peakAge, \.peakIsOver,
      \.isTold, \.lotsAbove, \.highestLot,
    ]
  }

  /// The loss that nothing within the band exceeds; infinity before the first.
  var top: Double {
    guard let highest = band.max(), let lowest = band.min() else { return .infinity }
    return max(highest + 9 * max(abs(highest), highest - lowest), level + 9 * abs(level))
  }

  /// The loss at the start, or that of the best constant answer where it is more.
  private var level: Double {
    guard let constantLoss, constantLoss > numbers.start else { return numbers.start }
    return constantLoss
  }

  /// Whether a mean is not below the best constant answer by more than noise may make it.
  func isAtChance(_ mean: Double) -> Bool {
    constantLoss.map { $0 > 0 && mean > 0.95 * $0 } ?? false
  }

  /// By what each step multiplies the loss while it is above the band; nil where that is not known.
  var growth: Double? {
    guard numbers.above >= 3, numbers.firstAbove > 0 else { return nil }
    let growth = (numbers.lastAbove / numbers.firstAbove).nthRoot(numbers.above - 1)
    return growth.isFinite && growth > 1 ? growth : nil
  }

  init(startIsDrawn: Bool = false, constantLoss: Double? = nil) {
    (self.startIsDrawn, self.constantLoss) = (startIsDrawn, constantLoss)
  }

  /// The best constant answer's loss beside the start's, where a mean is not below it.
  func chance(_ mean: Double) -> String {
    guard isAtChance(mean), let constantLoss else { return "" }
    return " and \(Wording.number(constantLoss, digits: 4)) of the best constant answer"
  }

  /// Begins anew, as behind a lowered rate; the band and the start stay.
  mutating func begin() {
    let start = numbers.start
    numbers = Numbers()
    numbers.start = start
    recent = []
  }

  /// Takes a finite loss.
  ///
  /// - Parameters:
  ///   - isOver: whether the rate is over the limit by the last check; nil where none is known.
  ///   - isSuspicious: whether the band must not be made anew of what has left it.
  mutating func take(_ loss: Double, isOver: Bool?, isSuspicious: Bool) {
    if numbers.start.isNaN { numbers.start = loss }
    place(loss, isOver: isOver, isSuspicious)
    recent.append(loss)
    if recent.count > Self.lot { recent.removeFirst() }
    numbers.count += 1
    if loss <= numbers.peak {
      numbers.peakAge += 1
    } else {
      (numbers.peak, numbers.peakAge) = (loss, 0)
      numbers.peakIsOver = isOver.map { $0 ? 1 : 0 } ?? .nan
    }
  }

  /// Puts a loss into the band, or beside it. Where losses stay above for as long as the band goes back, and
  /// do not grow, they make another.
  private mutating func place(_ loss: Double, isOver: Bool?, _ isSuspicious: Bool) {
    guard loss > top else {
      numbers.above = 0
      // Over the limit the band does not follow what grows.
      band.append(isOver == true ? min(loss, band.max() ?? loss) : loss)
      if band.count > Self.bandLength { band.removeFirst() }
      return
    }
    numbers.above += 1
    if numbers.above == 1 { numbers.firstAbove = loss }
    numbers.lastAbove = loss
    if Int(numbers.above) > Self.bandLength, !isSuspicious {
      (numbers.above, band) = (0, [loss])
    }
  }

  /// Judges what was taken; each fault is told once.
  mutating func verdict() -> Verdict? {
    if Int(numbers.above) == Self.patience { return .aboveBand(Self.patience) }
    guard recent.count == Self.lot else { return nil }
    let mean = recent.reduce(0, +) / Double(Self.lot)
    if Int(numbers.count) % Self.lot == 0 {
      let staysAbove = staysAboveStart(mean)
      if staysAbove, mean >= level || staysAboveForLong(mean) {
        guard numbers.isTold == 0 else { return nil }
        numbers.isTold = 1
        return .aboveStart(mean: mean)
      }
      if !staysAbove {
        (numbers.lotsAbove, numbers.highestLot) = (0, 0)
        if isFarBelow(level, mean) { numbers.isTold = 0 }
      }
    }
    guard Int(numbers.peakAge) >= Self.lot, Int(numbers.peakAge) % (Self.lot / 2) == 0 else {
      return nil
    }
    if isFlat(mean), numbers.isTold == 0 {
      numbers.isTold = 1
      return .flat(mean: mean, peak: numbers.peak, steps: Int(numbers.peakAge))
    }
    if isFarBelow(level, mean) { (numbers.peak, numbers.peakAge) = (recent.max() ?? mean, 0) }
    return nil
  }

  /// Whether such a mean is below the start, and far below where the run has jumped above it: behind a jump a loss
  /// a little below the start may be that of a flat region.
  func isGood(_ mean: Double) -> Bool {
    let (start, peak) = (numbers.start, numbers.peak)
    let hasJumped = peak > start + 0.5 * abs(start)
    return hasJumped ? isFarBelow(start, mean) : mean <= start
  }

  private func isFarBelow(_ place: Double, _ mean: Double) -> Bool {
    mean < place - 0.2 * abs(place) && !isAtChance(mean)
  }

  /// Takes note of a lot above the start, and says each fifth time whether it is not below half of the highest of
  /// them: a fine-tuning comes down again from where a larger rate throws it.
  private mutating func staysAboveForLong(_ mean: Double) -> Bool {
    numbers.lotsAbove += 1
    numbers.highestLot = max(numbers.highestLot, mean)
    guard numbers.lotsAbove == 5 else { return false }
    defer { (numbers.lotsAbove, numbers.highestLot) = (0, mean) }
    return mean > 0.5 * numbers.highestLot
  }

  /// By two standard errors where nearly all of the lot do, else by three; what is far above counts as ten times
  /// the start, so that one of them does not hide the others.
  private func staysAboveStart(_ mean: Double) -> Bool {
    let start = numbers.start
    let cut = recent.map { min($0, start + 9 * abs(start)) }
    let size = Double(cut.count)
    let middle = cut.reduce(0, +) / size
    let spread = deviation(cut, middle)
    let error = (spread / size + (startIsDrawn ? spread : 0)).squareRoot()
    let isMost = Double(recent.count { $0 > start }) >= 0.85 * size
    return middle > start + 0.02 * abs(start) && middle - (isMost ? 2 : 3) * error > start
  }

  /// No lower than 0.8 of the start, or the best constant answer, not falling from one half of the lot to the other, and far below a peak that
  /// is neither noise of this lot nor of a rate below its limit.
  private func isFlat(_ mean: Double) -> Bool {
    let (start, peak) = (numbers.start, numbers.peak)
    let half = Self.lot / 2
    let early = recent.prefix(half).reduce(0, +) / Double(half)
    let late = recent.suffix(half).reduce(0, +) / Double(half)
    return numbers.peakIsOver != 0 && start > 0 && peak > 1.5 * start
      && peak > mean + 8 * deviation(recent, mean).squareRoot()
      && peak > 2 * (recent.max() ?? peak) && late > 0.9 * early
      && (mean > 0.8 * level || isAtChance(mean))
  }

  private func deviation(_ values: [Double], _ mean: Double) -> Double {
    values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
  }
}

extension LossWatch {
  /// Everything, as numbers.
  var memory: [Double] {
    get {
      Numbers.fields.map { numbers[keyPath: $0] } + [Double(band.count)] + band
        + [Double(recent.count)] + recent
    }
    set {
      var rest = newValue[...]
      for field in Numbers.fields { numbers[keyPath: field] = rest.popFirst() ?? .nan }
      band = rest.popArray()
      recent = rest.popArray()
    }
  }
}

extension ArraySlice<Double> {
  /// Its first number says how many follow that belong together.
  mutating func popArray() -> [Double] {
    let count = Swift.min(Swift.max(0, Int(exactly: popFirst() ?? 0) ?? 0), count)
    defer { removeFirst(count) }
    return Array(prefix(count))
  }
}

extension Double {
  /// The root of this degree, of a number above zero.
  func nthRoot(_ degree: Double) -> Double { pow(self, 1 / degree) }
}
