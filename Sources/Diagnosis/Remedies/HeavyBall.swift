import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let momentum = Self("momentum", effort: 2, swing: .always)
}

/// Heavy-ball momentum tuned to the spectrum.
struct HeavyBall: Remedy {
  let kind = Prescription.Kind.momentum

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let (tuned, beta) = measured.tunedMomentum
    let optimizer = Momentum(beta: beta)
    let (rate, isBounded) = measured.bounded(tuned, by: optimizer, share: 0.5)
    let peak = measured.userBatches == nil ? measured.peak(rate: rate, by: optimizer) : nil
    let bound = isBounded ? ", half \(measured.ofBatchLimit) with it" : ""
    return Plan(
      kind, "\(optimizer.phrase) at rate \(Wording.number(rate))\(bound)",
      measured.foretold(
        conditionNumber: measured.survey.workingConditionNumber, rate: rate, optimizer,
        momentum: beta, peak: peak
      ) { measured.iterations(measured.survey, rate: rate, by: optimizer) },
      note: peak.map {
        "on the way the loss gap rises to \(Wording.number($0, digits: 2)) times the start's"
          + (measured.start.problem.isQuadratic ? "" : ", on the bowl that fits the loss here")
      }, slower: { "\(optimizer.phrase) at rate \(Wording.number($0))" },
      run: measured.course(optimizer, rate: rate))
  }
}
