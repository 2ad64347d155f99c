"""All keyword arguments, with what they set in a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

DIAGNOSE, SPECTRUM, TRAIN, SWEEP = "diagnose", "spectrum", "train", "sweep"
_ALL = (DIAGNOSE, SPECTRUM, TRAIN, SWEEP)
_POINT = (DIAGNOSE, SPECTRUM)


@dataclass(frozen=True)
class Option:
    """A keyword argument.

    Attributes
    ----------
    place
        What it sets in a request: ``training.rate``; within ``problem`` that of the table or the model.
    functions
        Which take it.
    meaning
        A sentence for the docstring.
    kind
        ``table`` or ``model`` where it goes with one of the two alone.
    form
        How its value becomes that of the request; see ``_values``.
    """

    name: str
    place: str
    functions: tuple[str, ...]
    meaning: str
    kind: str | None = None
    form: str = "plain"


# fmt: off
def all_options() -> Iterable[Option]:
    def table(name: str, field: str, meaning: str, form: str = "plain", functions: tuple[str, ...] = _ALL) -> Option:
        return Option(name, f"problem.{field}", functions, meaning, "table", form)

    def model(name: str, field: str, meaning: str, form: str = "plain", functions: tuple[str, ...] = _ALL) -> Option:
        return Option(name, f"problem.{field}", functions, meaning, "model", form)

    yield Option("target", "problem.target", _ALL, "The column to predict; of a model's data, the array.")
    yield table("features", "features", "The columns to predict it from; by default all others.", "names")
    yield table("drop", "dropped", "Columns to leave out, such as identifiers.", "names")
    yield table("keep", "kept", "Columns to use that would be left out: identifiers, dates, text, mostly missing.",
                "names")
    yield table("model", "model", "``linear``, ``logistic``, ``softmax``, ``mlp:64,64:tanh`` (or relu, gelu), or "
                "``mlp`` with ``hidden``; by default linear or softmax, from the target.")
    yield table("hidden", "hidden", "Widths of a network's hidden layers.", "widths")
    yield table("activation", "activation", "A network's activation: ``tanh``, ``relu`` or ``gelu``.")
    yield Option("loss", "problem.loss", _ALL, "The loss; of a table by default half the squared error for numbers "
                 "and the cross-entropy for classes.")
    yield table("intercept", "intercept", "Whether the model has biases.")
    yield table("reduction", "reduction", "``mean`` or ``sum`` of the rows' losses; ``l2`` counts once either way.")
    yield table("missing", "missing", "Of rows with missing cells: ``leave-out``, ``mean`` or ``refuse``.")
    yield table("standardise", "standardised", "Whether each column has its mean subtracted and is divided by its "
                "standard deviation.")
    yield table("start", "start", "Where to begin: arrays by the parameters' names (``weights``, ``bias``; of a "
                "network ``weights1``, ``bias1``, ...), or a file of them.", "arrays", (DIAGNOSE, SPECTRUM, TRAIN))
    yield Option("l2", "problem.l2", _ALL, "Adds ``l2/2 ||w||^2`` to the loss, biases excluded.")
    yield model("data", "data", "A model file's inputs and target, by name: a file (NPZ, NPY, safetensors, CSV) or "
                "a mapping of arrays.", "arrays")
    yield model("output", "output", "The output that the loss is of.")
    yield model("loss_output", "lossOutput", "The output that is the loss itself.")
    yield model("parameters", "parameters", "Only these parameters, as ``layer2.*``.", "globs",
                (DIAGNOSE, TRAIN, SWEEP))
    yield Option("parameters", "parameters", (SPECTRUM,), "Only these parameters, as ``layer2.*``.", None, "globs")
    yield model("freeze", "frozen", "Parameters that stay as they are, likewise.", "globs")
    yield model("samples", "samples", "Only the first so many samples.")
    yield model("batch_axis", "batchAxis", "The output's axis of samples.")
    yield model("training", "training", "Whether BatchNormalization and Dropout act as while training.")
    yield model("as_logits", "asLogits", "Whether probabilities are taken for logits, as training with that mistake "
                "does.")
    yield model("save_parameters", "saved", "Write the parameters at the point: .safetensors, or the model as .onnx.",
                "path", (DIAGNOSE, SPECTRUM, SWEEP))
    yield Option("optimizer", "training.optimizer", _POINT, "The optimizer whose rate is judged: ``\"adam\"``, "
                 "``\"adam:beta2=0.99\"`` or ``{\"name\": \"adam\", \"beta2\": 0.99}``.", None, "setting")
    yield Option("optimizer", "optimizer", (TRAIN, SWEEP), "The optimizer, of a training also a method: "
                 "``\"adam\"``, ``\"adam:beta2=0.99\"`` or ``{\"name\": \"adam\", \"beta2\": 0.99}``.", None, "setting")
    for name, meaning in (
        ("momentum", "The coefficient of momentum."), ("beta1", "The first coefficient of Adam and its kin."),
        ("beta2", "The second coefficient of Adam and its kin."),
    ):
        yield Option(name, f"optimizer.{name}", _ALL, meaning, None, "coefficient")
    yield Option("lr", "training.rate", _POINT, "The learning rate to judge.")
    yield Option("lr", "rate", (TRAIN,), "The learning rate, a number or ``\"auto\"``.")
    yield Option("lr", "rates", (SWEEP,), "The rates: ``(lower, upper, count)`` or ``\"1e-4:10:64\"``, evenly spaced "
                 "on a logarithmic axis.", None, "rates")
    yield Option("at", "training.steps", _POINT, "Measure after this many steps; by default at the start.", None,
                 "steps")
    yield Option("batch", "training.batch", _POINT, "Samples of a training step; by default all.")
    yield Option("sampling", "training.sampling", _POINT, "``shuffle`` or ``replacement``.")
    yield Option("batch", "batches.size", (TRAIN,), "Samples of a batch; by default all at each step.")
    yield Option("sampling", "batches.sampling", (TRAIN,), "``shuffle`` or ``replacement``.")
    yield Option("last", "batches.last", (TRAIN,), "Whether samples left over at the end of a pass are a smaller "
                 "batch: ``included`` or ``dropped``.")
    yield Option("accumulate", "batches.accumulation", (TRAIN,), "Batches whose mean gradient makes one step.")
    yield Option("batch", "batch", (SWEEP,), "Samples of each step; by default all.")
    yield Option("sampling", "sampling", (SWEEP,), "``shuffle`` or ``replacement``.")
    yield Option("weight_decay", "optimizer.weight-decay", (DIAGNOSE,), "Decoupled weight decay; Adam with it is "
                 "AdamW, and of plain descent it is the penalty ``l2``.", None, "decay")
    yield Option("epochs", "epochs", (TRAIN, SWEEP), "Passes over the samples.")
    yield Option("steps", "steps", (TRAIN, SWEEP), "Steps, instead of ``epochs``.")
    yield Option("schedule", "schedule", (TRAIN, SWEEP), "How the rate changes: ``\"cosine\"``, "
                 "``\"one-cycle:rise=0.2\"`` or a mapping.", None, "setting")
    yield Option("warm_up", "warmUp", (TRAIN, SWEEP), "Lets the rate rise in this many steps, or up to 1 in this "
                 "share of them.")
    yield Option("clip_value", "rules.clipValue", (TRAIN,), "Holds each entry of the gradient within this.")
    yield Option("clip_norm", "rules.clipNorm", (TRAIN, SWEEP), "Holds the gradient's norm within this.")
    yield Option("weight_decay", "rules.weightDecay", (TRAIN, SWEEP), "Decoupled weight decay.")
    yield Option("no_decay", "rules.undecayed", (TRAIN,), "Parameters that do not decay, as ``*.bias``, or "
                 "``biases``.", None, "globs")
    yield Option("rate", "rules.rates", (TRAIN,), "Other rates for some parameters: ``{\"layer1.*\": \"0.1x\", "
                 "\"head.*\": 1e-3}``.", None, "group rates")
    yield Option("rate_file", "rules.rateFile", (TRAIN,), "A factor of the rate for each entry of a parameter, by "
                 "its name: a file or a mapping of arrays.", None, "arrays")
    yield Option("held_out", "heldOut", (TRAIN, SWEEP), "Samples that are not trained on: a share of all, a file, or "
                 "``(X, y)`` or a frame.", None, "held out")
    yield Option("patience", "patience", (TRAIN,), "Evaluations without a lower held-out loss, after which the best "
                 "parameters are taken.")
    yield Option("then", "then", (TRAIN,), "A method that takes over once progress stalls.", None, "setting")
    yield Option("switch", "switching", (TRAIN,), "When it does: ``\"stalled:patience=3\"``.", None, "setting")
    yield Option("track", "trackers", (TRAIN,), "What is measured on the way: a name, or several.", None, "settings")
    yield Option("guard", "guarding", (TRAIN,), "What an alarm does: ``off``, ``warn``, ``stop``, ``lower-rate``.")
    yield Option("checkpoint", "files.checkpoints", (TRAIN,), "Keep checkpoints in this folder.", None, "path")
    yield Option("keep_checkpoints", "files.kept", (TRAIN,), "How many.")
    yield Option("checkpoint_every", "files.checkpointPeriod", (TRAIN,), "Steps between two.")
    yield Option("resume", "files.resumes", (TRAIN,), "Whether to go on from the newest.")
    yield Option("log", "files.log", (TRAIN,), "Log to this folder: events.jsonl, and TensorBoard.", None, "path")
    yield Option("save", "files.saved", (TRAIN,), "Write the parameters at the end: .safetensors, or .onnx.", None,
                 "path")
    yield Option("seeds", "seeds", (SWEEP,), "Runs of each rate.")
    yield Option("range_test", "rangeTest", (SWEEP,), "Whether to run the range test beside.")
    yield Option("auto", "auto", (SWEEP,), "Whether to choose a rate as ``lr=\"auto\"`` does, too.")
    yield Option("count", "count", (SPECTRUM,), "Eigenvalues at each end; by default 5.")
    yield Option("which", "which", (SPECTRUM,), "``largest``, ``smallest`` or ``both``.")
    yield Option("operator", "kind", (SPECTRUM,), "``hessian``, ``gauss-newton``, ``fisher``, ``sampled-fisher`` or "
                 "``empirical-fisher``.")
    yield Option("precondition", "preconditioning", (SPECTRUM,), "``none``, ``features``, ``diagonal``, ``adam``, "
                 "``adam:STATE.npy``, or Adam's second moments as an array.", None, "preconditioning")
    yield Option("tolerance", "tolerance", (SPECTRUM,), "Residual, relative to the largest magnitude.")
    yield Option("density", "density", (SPECTRUM,), "Whether to estimate the density of eigenvalues.")
    yield Option("error", "densityError", (SPECTRUM,), "Its Wasserstein error, relative to its range; 0.02.")
    yield Option("trace", "trace", (SPECTRUM,), "Whether to estimate the trace and the Frobenius norm.")
    yield Option("diagonal", "diagonal", (SPECTRUM,), "Whether to estimate the diagonal.")
    yield Option("per_layer", "perLayer", (SPECTRUM,), "Whether to measure each layer by itself.")
    yield Option("intervals", "intervals", (SPECTRUM,), "Whether to tell what a larger sample would give.")
    yield Option("tolerance", "trials.tolerance", (DIAGNOSE,), "The relative loss gap at which a run counts as "
                 "finished; 1e-6.")
    yield Option("max_iterations", "trials.maxIterations", (DIAGNOSE,), "Steps after which a run is given up.")
    yield Option("trials", "trials.areRun", (DIAGNOSE,), "Whether the remedies are run, or only predicted.")
    yield Option("effort", "resources.effort", (DIAGNOSE,), "How much work to spend: 1 takes seconds; from 10 on "
                 "every trial runs to its end.")
    yield Option("seed", "resources.seed", _ALL, "The seed of everything random.")
    yield Option("precision", "resources.precision", _ALL, "``float32`` or ``float64``.", None, "precision")
    yield Option("executor", "resources.executor", _ALL, "``auto``, ``onnxruntime`` or ``reference``.")
    yield Option("memory", "resources.memory", _ALL, "Memory for Hessian products: bytes, or ``\"2GiB\"``.", None,
                 "bytes")
    yield Option("threads", "resources.threads", _ALL, "Threads; by default all cores.")
