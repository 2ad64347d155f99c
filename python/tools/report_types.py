"""Which Swift types `reports.py` writes as dataclasses, and what they are called there."""

from __future__ import annotations

# fmt: off
PLAIN = {"Double": "float", "Int": "int", "Bool": "bool", "String": "str", "UInt64": "int"}

# Held as the dictionaries that they are in JSON.
OPEN = {"Evidence", "DiagnosisRequest", "SpectrumRequest", "TrainingRequest", "SweepRequest", "TrainingCourse"}

# Module, what it says of itself, and its classes: the Swift type and the Python name. Reports are written last,
# as bases of the results.
MODULES: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "_report_curvature": ("What several reports say of a problem and its curvature.", [
        ("Convergence", "Convergence"),
        ("Reading", "Reading"),
        ("DiagnosisReport.Problem", "Problem"),
        ("SamplingError", "SamplingError"),
        ("LayerCurvature", "LayerCurvature"),
        ("AutoRate.Candidate", "RateCandidate"),
        ("AutoRate", "AutoRate"),
    ]),
    "_report_diagnosis": ("What a diagnosis measured at a point.", [
        ("DiagnosisReport.BoundedEigenvalue", "Sharpness"),
        ("DiagnosisReport.Eigenvalue", "MeasuredEigenvalue"),
        ("SharpnessOnAllSamples", "SharpnessOnAllSamples"),
        ("DiagnosisReport.OpenConditionNumber", "OpenConditionNumber"),
        ("DiagnosisReport.Curvature", "Curvature"),
        ("RateRun", "RateRun"),
        ("DiagnosisReport.LearningRate", "LearningRate"),
        ("EigenDirection", "EigenDirection"),
        ("DiagnosisReport.CurvePoint", "CurvePoint"),
        ("DiagnosisReport.Prediction", "Prediction"),
        ("Finding", "Finding"),
        ("FirstAnswer", "FirstAnswer"),
    ]),
    "_report_remedies": ("What a diagnosis tried and advises.", [
        ("Prescription.Predicted", "PredictedTrial"),
        ("Prescription.InBatches", "TrialInBatches"),
        ("Prescription.Measured", "MeasuredTrial"),
        ("Prescription", "Prescription"),
        ("Advice.Why", "AdviceWhy"),
        ("Advice.Rate", "AdviceRate"),
        ("Advice.Figures", "TrialFigures"),
        ("Advice.Comparison", "AdviceComparison"),
        ("Advice.Alternative", "AdviceAlternative"),
        ("Advice.Action", "AdviceAction"),
        ("Advice.Basis", "AdviceBasis"),
        ("Advice", "Advice"),
    ]),
    "_report_batches": ("What a diagnosis says of mini-batches.", [
        ("MiniBatches.Floor", "NoiseFloor"),
        ("MiniBatches.FloorRun", "NoiseFloorRun"),
        ("MiniBatches.Trial", "BatchTrial"),
        ("MiniBatches.OtherFloor", "OtherFloor"),
        ("MiniBatches.Growth", "ErrorGrowth"),
        ("MiniBatches.BatchLimit", "BatchLimit"),
        ("MiniBatches", "MiniBatches"),
    ]),
    "_report_spectrum": ("What a spectrum holds.", [
        ("SpectrumReport.Operator", "MeasuredOperator"),
        ("SpectrumReport.Intervals", "SpectrumIntervals"),
        ("SpectrumOutliers", "SpectrumOutliers"),
        ("SpectralDensity.Interval", "Interval"),
        ("SpectralDensity.Split", "DensitySplit"),
        ("SpectralDensity", "SpectralDensity"),
        ("SpectrumReport.Density", "SpectrumDensity"),
        ("EstimatedValue", "EstimatedValue"),
        ("TraceEstimate", "TraceEstimate"),
        ("SpectrumReport.Diagonal", "SpectrumDiagonal"),
    ]),
    "_report_training": ("What a training run holds.", [
        ("DataReading", "DataReading"),
        ("TrainingReport.Method", "TrainingMethod"),
        ("TrainingHistory.Rates", "StepRates"),
        ("TrainingReport.Rate", "TrainingRate"),
        ("TrainingReport.Length", "TrainingLength"),
        ("TrainingReport.HeldOut", "HeldOut"),
        ("TrainingEvaluation", "TrainingEvaluation"),
        ("TrainingHistory.Tracked", "TrackedSeries"),
        ("TrackingFinding", "TrackingFinding"),
        ("TrainingReport.Cost", "TrainingCost"),
        ("StepNote", "Decision"),
        ("TrainingHistory.Alarm", "Alarm"),
        ("TrainingReport.Alarms", "TrainingAlarms"),
        ("TrainingEnding", "TrainingEnding"),
        ("TrainingReport.Checkpoints", "Checkpoints"),
        ("Standardisation", "Standardisation"),
    ]),
    "_report_sweep": ("What a sweep and a lab hold.", [
        ("SweepReport.Rate", "SweepRate"),
        ("SweepReport.Boundary", "SweepBoundary"),
        ("SweepReport.Limit", "SweepLimit"),
        ("SweepReport.Best", "SweepBest"),
        ("RangeTest", "RangeTest"),
        ("LabCheck", "LabCheck"),
    ]),
}

# The sections of docs/json.md that tell more than the types do.
SECTIONS = {
    "problem": "DiagnosisReport.Problem", "curvature": "DiagnosisReport.Curvature",
    "learningRate": "DiagnosisReport.LearningRate", "directions": "EigenDirection",
    "prediction": "DiagnosisReport.Prediction", "miniBatches": "MiniBatches",
}
