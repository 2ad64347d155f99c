/// What is said of training on mini-batches.
extension FindingRules {
  var miniBatchFindings: [Finding] {
    guard let miniBatches else { return [] }
    var findings: [Finding] = []
    if let rate = miniBatches.rate, let limit = miniBatches.limit, let binds = miniBatches.binds {
      findings.append(
        .batchBinding(
          miniBatches, binds, rate: rate, limit: limit,
          condition: miniBatches.conditionNumber))
    }
    if let rate = miniBatches.rate, let floor = miniBatches.floor {
      findings.append(
        .noiseFloor(
          miniBatches, floor, rate: rate, isDecayed: start.optimizer.decay > 0))
    }
    if let finding = Finding.batchTrials(miniBatches) { findings.append(finding) }
    if let finding = Finding.batchSize(miniBatches) { findings.append(finding) }
    return findings
  }
}
