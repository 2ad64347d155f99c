import Diagnosis
import Foundation
import ProgramRuns
import TensorPrograms

extension FailureTests {
  static let files: [Row] = [
    Row("no file", .noInput, "There is no file 'FOLDER/none.csv'; check the path.") {
      .table(TableRequest(file: $0.path("none.csv"), target: "y"))
    },
    Row("a folder", .noInput, "'FOLDER' is a folder; give the path of a file in it.") {
      .table(TableRequest(file: $0.url.path, target: "y"))
    },
    Row("no data file", .noInput, "There is no file 'FOLDER/none.npz'; check the path.") {
      var model = ModelFileRequest(file: SmallFiles.gate)
      model.data = $0.path("none.npz")
      return .model(model)
    },
    Row(
      "a problem of memory", .usage,
      "The problem 'network' was held in memory by the program that diagnosed it, and cannot be "
        + "opened; name a table or a model file."
    ) { _ in .memory("network") },
  ]

  static let tables: [Row] = [
    Row(
      "no such column", .badData,
      "FOLDER/t.csv: there is no column `z` to take as the target; did you mean `a`? The "
        + "columns are: a, b, y.",
      source: table("a,b,y\n1,2,3\n4,5,6.5\n") { $0.target = "z" }),
    Row(
      "a word among numbers", .badData,
      "FOLDER/t.csv, line 3, column `a`: `x` is not a number, though 2 of the column's 3 cells are; "
        + "mend it, or leave the column out with `dropped: a`; if it is a category, write every cell "
        + "of the column as a word.",
      flags:
        "FOLDER/t.csv, line 3, column `a`: `x` is not a number, though 2 of the column's 3 cells are; "
        + "mend it, or leave the column out with --drop a; if it is a category, write every cell of "
        + "the column as a word.",
      source: table("a,y\n1,2\nx,4\n5,6\n") { $0.missing = .refuse }),
    Row(
      "a missing value", .badData,
      "FOLDER/t.csv, line 3, column `a`: the value is missing; fill it in, remove the row, leave the "
        + "column out with `dropped: a`, or take the column's mean with `missing: mean`.",
      flags:
        "FOLDER/t.csv, line 3, column `a`: the value is missing; fill it in, remove the row, leave "
        + "the column out with --drop a, or take the column's mean with --missing mean.",
      source: table("a,y\n1,2\n,4\n5,6\n") { $0.missing = .refuse }),
    Row(
      "a spoilt row", .badData,
      "FOLDER/t.csv, line 2, column `a`: `inf` is not a finite number; mend it, remove the row, or "
        + "leave the column out with `dropped: a`.",
      flags:
        "FOLDER/t.csv, line 2, column `a`: `inf` is not a finite number; mend it, remove the row, or "
        + "leave the column out with --drop a.",
      source: table("a,y\ninf,2\n3,4\n") { $0.missing = .refuse }),
    Row(
      "an empty column", .badData,
      "FOLDER/t.csv, line 2, column `a`: no cell of the column holds a value; leave it out with "
        + "`dropped: a`.",
      flags:
        "FOLDER/t.csv, line 2, column `a`: no cell of the column holds a value; leave it out with "
        + "--drop a.",
      source: table("a,b,y\n,1,2\n,3,4\n") { $0.missing = .refuse }),
    Row(
      "words that miss one", .badData,
      "FOLDER/t.csv, line 3, column `a`: the value is missing; "
        + "fill it in, remove the row, or leave the column out with `dropped: a`.",
      flags:
        "FOLDER/t.csv, line 3, column `a`: the value is missing; "
        + "fill it in, remove the row, or leave the column out with --drop a.",
      source: table("a,y\nu,2\n,4\nu,6\n") { $0.missing = .refuse }),
    Row(
      "identifiers", .badData,
      "FOLDER/t.csv, column `a`: 3 different words in 3 rows look like an identifier, not a "
        + "category; leave the column out with `dropped: a`.",
      flags:
        "FOLDER/t.csv, column `a`: 3 different words in 3 rows look like an identifier, not a "
        + "category; leave the column out with --drop a.",
      source: table("a,y\nu,2\nv,4\nw,6\n") { $0.missing = .refuse }),
    Row(
      "a target dropped", .badData,
      "FOLDER/t.csv, column `y`: the target cannot be dropped; leave it out of `dropped`.",
      flags: "FOLDER/t.csv, column `y`: the target cannot be dropped; leave it out of --drop.",
      source: table("a,y\n1,2\n3,4\n") { $0.dropped = ["y"] }),
    Row(
      "a target among the features", .badData,
      "FOLDER/t.csv, column `y`: the target cannot be a feature too; leave it out of `features`.",
      flags:
        "FOLDER/t.csv, column `y`: the target cannot be a feature too; leave it out of --features.",
      source: table("a,y\n1,2\n3,4\n") { $0.features = ["y"] }),
    Row(
      "words for a line", .badData,
      "FOLDER/t.csv, line 2, column `y`: the target is text (`v`), and regression needs numbers; write "
        + "it as plain numbers, or use `model: softmax`.",
      flags:
        "FOLDER/t.csv, line 2, column `y`: the target is text (`v`), and regression needs numbers; "
        + "write it as plain numbers, or use --model softmax.",
      source: table("a,y\n1,v\n3,u\n") { $0.model = .linear }),
    Row(
      "a class for each row", .badData,
      "FOLDER/t.csv, column `y`: every row has a class of its own (`0.5`, ...), so there is nothing "
        + "to learn; choose another target, or, if it is a quantity, use `model: linear`.",
      flags:
        "FOLDER/t.csv, column `y`: every row has a class of its own (`0.5`, ...), so there is nothing "
        + "to learn; choose another target, or, if it is a quantity, use --model linear.",
      source: table("a,y\n" + (0..<25).map { "\($0 % 7),\(Double($0) + 0.5)\n" }.joined()) {
        $0.model = .softmax
      }),
    Row(
      "a loss of models", .usage,
      "A table has no `loss: huber`: choose one of half-squared-error, mse, cross-entropy and binary.",
      flags:
        "A table has no --loss huber: choose one of half-squared-error, mse, cross-entropy and binary.",
      source: table("a,y\n1,2\n3,4\n") { $0.loss = "huber" }),
    Row(
      "classes with a loss of numbers", .usage,
      "The model softmax goes with `loss: cross-entropy` alone.",
      flags: "The model softmax goes with --loss cross-entropy alone.",
      source: table("a,y\n1,2\n3,4\n") {
        $0.model = .softmax
        $0.loss = "mse"
      }),
    Row(
      "a line with a loss of classes", .usage,
      "The model linear has no `loss: cross-entropy`; use `model: softmax` for classes.",
      flags: "The model linear has no --loss cross-entropy; use --model softmax for classes.",
      source: table("a,y\n1,2\n3,4\n") {
        $0.model = .linear
        $0.loss = "cross-entropy"
      }),
    Row(
      "a network too large", .usage,
      "The model has 1e12 parameters, too many for this machine's memory; give `model` smaller "
        + "widths.",
      flags:
        "The model has 1e12 parameters, too many for this machine's memory; give --model smaller "
        + "widths.",
      source: table("a,y\n1,2.5\n3,4\n") {
        $0.model = .mlp(hidden: [1_000_000, 1_000_000], activation: .tanh)
      }),
  ]

  static let models: [Row] = [
    Row(
      "no data", .usage,
      "GATE is a model, which needs data: add `data: FILE` (NPZ, NPY, safetensors or CSV) with 'x' "
        + "and 'target'.",
      flags:
        "GATE is a model, which needs data: add --data FILE (NPZ, NPY, safetensors or CSV) with 'x' "
        + "and 'target'.",
      source: model { $0.data = nil }),
    Row(
      "no loss", .usage,
      "A model needs a loss: add `loss` with one of LOSSES, or `lossOutput: NAME` if the model "
        + "computes its own.",
      flags:
        "A model needs a loss: add --loss with one of LOSSES, or --loss-output NAME if the model "
        + "computes its own.",
      source: model { $0.loss = nil }),
    Row(
      "an unknown loss", .usage, "There is no loss 'hinge': choose one of LOSSES.",
      source: model { $0.loss = "hinge" }),
    Row(
      "two losses", .usage,
      "`lossOutput` names a loss that the model computes itself; leave `loss` and `output` out.",
      flags:
        "--loss-output names a loss that the model computes itself; leave --loss and --output out.",
      source: model { $0.lossOutput = "energy" }),
    Row(
      "no such output", .usage,
      "The model has no output 'odds'; it has 'logits', 'energy' and 'untrained'.",
      source: model { $0.output = "odds" }),
    Row(
      "no such parameter", .usage,
      "No parameter matches 'encoder*' of `frozen`; the model's are: scale.weight, scale.bias, "
        + "gain.weight; `ModelParameters` shows all.",
      flags:
        "No parameter matches 'encoder*' of --freeze; the model's are: scale.weight, scale.bias, "
        + "gain.weight; --list-parameters shows all.",
      source: model { $0.frozen = "encoder*" }),
    Row(
      "nothing left", .badData,
      "No parameters are left of GATE: `ModelParameters` says why each stored tensor is none.",
      flags:
        "No parameters are left of GATE: --list-parameters says why each stored tensor is none.",
      source: model { $0.frozen = "*" }),
    Row(
      "an output without parameters", .badData,
      "There is no gradient: the output 'untrained' of GATE depends on no parameter through "
        + "floating-point operations; choose another output.",
      source: model { $0.output = "untrained" }),
    Row(
      "an output without inputs", .badData,
      "The output 'energy' of GATE depends on no input; choose another `output`, or if it is a loss, "
        + "`lossOutput: energy`.",
      flags: "The output 'energy' of GATE depends on no input; choose another --output, or if it "
        + "is a loss, --loss-output energy.",
      source: model { $0.output = "energy" }),
    Row(
      "a loss that is no number", .badData,
      "The loss 'logits' of GATE has the shape [8, 3], but a loss is one number; choose another "
        + "`lossOutput`, or a `loss` of `output: logits`.",
      flags:
        "The loss 'logits' of GATE has the shape [8, 3], but a loss is one number; choose another "
        + "--loss-output, or a --loss of --output logits.",
      source: model {
        $0.loss = nil
        $0.lossOutput = "logits"
      }),
    Row(
      "a target that does not fit", .badData,
      "FOLDER/batch.npz: the target 'target' is int64[8] and the output 'logits' float32[8, 3], "
        + "which the loss mse cannot compare; choose another `loss`, `output` or `target`.",
      flags:
        "FOLDER/batch.npz: the target 'target' is int64[8] and the output 'logits' float32[8, 3], "
        + "which the loss mse cannot compare; choose another --loss, --output or --target.",
      source: model { $0.loss = "mse" }),
    Row(
      "a target of another name", .badData,
      "FOLDER/batch.npz has no target array 'target'; it has 'x' and 'label': add `target: label` if "
        + "that is the target.",
      flags:
        "FOLDER/batch.npz has no target array 'target'; it has 'x' and 'label': add --target label "
        + "if that is the target.",
      source: model([("x", SmallFiles.inputs), ("label", SmallFiles.labels)]) { _ in }),
    Row(
      "a target among several", .badData,
      "FOLDER/batch.npz has no target array 'target'; it has 'x', 'a' and 'b': name the target with "
        + "`target`.",
      flags:
        "FOLDER/batch.npz has no target array 'target'; it has 'x', 'a' and 'b': name the target "
        + "with --target.",
      source: model([
        ("x", SmallFiles.inputs), ("a", SmallFiles.labels), ("b", SmallFiles.labels),
      ]) { _ in }),
    Row(
      "too many samples", .usage,
      "`samples` asks for 9 samples, but FOLDER/batch.npz has 8.",
      flags: "--samples asks for 9 samples, but FOLDER/batch.npz has 8.",
      source: model { $0.samples = 9 }),
    Row(
      "samples of nothing shared", .usage,
      "`samples` needs arrays that share their first axis; those of FOLDER/batch.npz do not.",
      flags:
        "--samples needs arrays that share their first axis; those of FOLDER/batch.npz do not.",
      source: model([("x", Tensor(scalar: 1, .float32)), ("target", SmallFiles.labels)]) {
        $0.loss = nil
        $0.lossOutput = "logits"
        $0.samples = 2
      }),
    Row(
      "not a number in the data", .badData,
      "FOLDER/batch.npz, array 'x', index [2, 1]: NaN where a number must be; replace it or "
        + "leave the sample out.",
      source: model([
        ("x", Tensor((0..<24).map { $0 == 7 ? Float.nan : 1 }, shape: [8, 3])),
        ("target", SmallFiles.labels),
      ]) { _ in }),
  ]
}
