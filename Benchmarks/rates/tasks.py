"""The ten tasks on which rules for the learning rate are compared: networks in PyTorch, exported to ONNX
with one file of first weights per seed, and their data.

    tasks.py FOLDER [NAME ...]
"""

import pathlib
import sys

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Scripts" / "models"))
import export
import networks

BATCH, EPOCHS = 32, 5


class Linear(nn.Module):
    """Starts at zero, as the program starts such a model on a table; seeds are orders of the batches."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        nn.init.zeros_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x):
        return self.dense(x)


class MLP(nn.Module):
    def __init__(self, inputs, outputs, width=32):
        super().__init__()
        self.dense1, self.dense2 = nn.Linear(inputs, width), nn.Linear(width, width)
        self.dense3 = nn.Linear(width, outputs)

    def forward(self, x):
        return self.dense3(torch.tanh(self.dense2(torch.tanh(self.dense1(x)))))


class CNN(nn.Module):
    """Two 3 x 3 convolutions with pooling on 8 x 8 digits."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.dense = nn.Linear(64, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.dense(x.flatten(1))


def standardised(x):
    return (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)


def table(load, is_raw, classes=True):
    data = load()
    x = data.data if is_raw else standardised(data.data)
    y = data.target if classes else standardised(data.target)[:, None]
    return x.astype(np.float32), y.astype(np.int64 if classes else np.float32)


def flipped(generator, labels, classes, share=0.1):
    noisy = generator.random(labels.shape) < share
    return np.where(noisy, generator.integers(0, classes, labels.shape), labels)


def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[:1024, None] / 16).astype(np.float32), data.target[:1024]


def sequences(count=512):
    """The class is the quantile of a weighted sum over the sequence; a tenth of the labels is drawn anew."""
    generator = np.random.default_rng(11)
    x = generator.standard_normal((count, 10, 6)).astype(np.float32)
    score = x[:, :, 0].sum(1) + x[:, -3:, 1].sum(1)
    labels = np.searchsorted(np.quantile(score, [0.2, 0.4, 0.6, 0.8]), score)
    return x, flipped(generator, labels, 5)


def tokens(count=2048):
    """Sequences of a random Markov chain with four likely successors; the next token is the target."""
    generator = np.random.default_rng(12)
    successors = generator.integers(0, 32, (32, 4))
    walk = np.zeros((count, 13), np.int64)
    walk[:, 0] = generator.integers(0, 32, count)
    for place in range(12):
        likely = successors[walk[:, place], generator.integers(0, 4, count)]
        walk[:, place + 1] = flipped(generator, likely, 32)
    return walk[:, :-1], walk[:, 1:]


def images(count=512):
    """A pattern per class under noise; a tenth of the labels is drawn anew."""
    generator = np.random.default_rng(13)
    patterns = generator.standard_normal((10, 3, 32, 32))
    labels = generator.integers(0, 10, count)
    x = 0.3 * patterns[labels] + generator.standard_normal((count, 3, 32, 32))
    return x.astype(np.float32), flipped(generator, labels, 10)


def datasets(name):
    import sklearn.datasets

    return getattr(sklearn.datasets, f"load_{name}")


def raw_diabetes():
    return datasets("diabetes")(scaled=False)


# name: (network, data, loss, seeds)
TASKS = {
    "linear-raw": (lambda: Linear(10, 1), lambda: table(raw_diabetes, True, False), "mse", 5),
    "linear": (lambda: Linear(10, 1), lambda: table(raw_diabetes, False, False), "mse", 5),
    "softmax-raw": (
        lambda: Linear(13, 3), lambda: table(datasets("wine"), True), "cross-entropy", 5),
    "softmax": (
        lambda: Linear(13, 3), lambda: table(datasets("wine"), False), "cross-entropy", 5),
    "mlp-raw": (
        lambda: MLP(30, 2), lambda: table(datasets("breast_cancer"), True), "cross-entropy", 5),
    "mlp": (
        lambda: MLP(30, 2), lambda: table(datasets("breast_cancer"), False), "cross-entropy", 5),
    "digits-cnn": (CNN, digits, "cross-entropy", 5),
    "lstm": (networks.LSTM, sequences, "cross-entropy", 5),
    "gpt": (networks.GPT, tokens, "cross-entropy", 3),
    "resnet": (lambda: networks.ResNet18(base=4), images, "cross-entropy", 3),
}


def network(name, seed):
    torch.manual_seed(1000 + seed)
    return TASKS[name][0]().eval()


def loss_of(name, outputs, target):
    if TASKS[name][2] == "mse":
        return ((outputs - target) ** 2).mean()
    classes = outputs.shape[-1]
    return nn.functional.cross_entropy(outputs.reshape(-1, classes), target.reshape(-1))


def make(folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    x, target = TASKS[name][1]()
    np.savez(folder / f"{name}.npz", x=x, target=target)
    example = torch.from_numpy(x[:4])
    for seed in range(TASKS[name][3]):
        program = torch.onnx.export(
            network(name, seed), (example,), dynamo=True, input_names=["x"], output_names=["output"],
            dynamic_shapes=({0: torch.export.Dim("batch")},), opset_version=20, optimize=False,
            verbose=False, do_constant_folding=False)
        export.save(program.model_proto, folder / f"{name}-{seed}.onnx")


if __name__ == "__main__":
    for chosen in sys.argv[2:] or TASKS:
        make(pathlib.Path(sys.argv[1]), chosen)
        print(chosen, flush=True)
