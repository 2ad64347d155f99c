import Curvature
import Foundation
import LinearMaps

extension TrackingMoment {
  /// Lets some of the trackers look, and counts what that takes.
  ///
  /// - Parameters:
  ///   - due: positions of those that look.
  ///   - unit: operations of a step's gradient.
  func record(
    of trackers: [any Tracker], _ due: [Int], step: Int, unit: Double,
    _ memories: inout [TrackerMemory]
  ) throws -> TrackingRecord {
    var values: [TrackedValue] = []
    var costs: [TrackerCost] = []
    for index in due {
      let (spent, began) = (operations, Date())
      values += try trackers[index].check(self, &memories[index])
      costs.append(
        TrackerCost(
          tracker: trackers[index].name, gradients: (operations - spent) / unit,
          seconds: Date().timeIntervalSince(began)))
    }
    return TrackingRecord(
      step: step, values: values, gradients: costs.reduce(0) { $0 + $1.gradients },
      seconds: costs.reduce(0) { $0 + $1.seconds }, costs: costs)
  }

  private var operations: Double {
    groups.reduce(sample.operations) { $0 + $1.operations }
  }
}
