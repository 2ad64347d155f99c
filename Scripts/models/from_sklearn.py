"""A regressor of scikit-learn's, as skl2onnx writes it."""

import numpy as np
import torch
from skl2onnx import to_onnx
from sklearn.neural_network import MLPRegressor


def export(folder, direction):
    random = np.random.default_rng(3)
    x = random.standard_normal((40, 5)).astype(np.float32)
    y = (np.sin(x[:, 0]) + x[:, 1] * x[:, 2]).astype(np.float32)
    network = MLPRegressor(
        hidden_layer_sizes=(12, 8), activation="tanh", max_iter=60, random_state=0).fit(x, y)
    model = to_onnx(network, x[:1], name="regressor")
    folder.joinpath("sklearn.onnx").write_bytes(model.SerializeToString())
    np.savez(folder / "sklearn.npz", X=x, target=y[:, None])
    # The names that the converter gives to its matrices.
    weights = dict(zip(
        ("coefficient", "intercepts", "coefficient1", "intercepts1", "coefficient2",
         "intercepts2"),
        (value for pair in zip(network.coefs_, network.intercepts_) for value in pair)))
    shapes = {item.name: list(item.dims) for item in model.graph.initializer}
    parameters = {
        name: torch.tensor(np.float32(value), dtype=torch.float64).reshape(shapes[name])
        .requires_grad_() for name, value in weights.items()}
    values = list(parameters.values())
    hidden = torch.from_numpy(x).double()
    for layer in range(3):
        hidden = hidden @ values[2 * layer] + values[2 * layer + 1]
        hidden = torch.tanh(hidden) if layer < 2 else hidden
    loss = ((hidden - torch.from_numpy(y[:, None]).double()) ** 2).mean()
    gradient = torch.autograd.grad(loss, values, create_graph=True)
    slope = sum(
        (g * torch.from_numpy(direction(tuple(g.shape)))).sum() for g in gradient)
    products = torch.autograd.grad(slope, values)
    result = {"loss": loss.detach().numpy()}
    for name, g, product in zip(parameters, gradient, products):
        result[f"gradient/{name}"] = g.detach().numpy()
        result[f"product/{name}"] = product.numpy()
    np.savez(folder / "sklearn.golden.npz", **result)
