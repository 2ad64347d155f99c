"""The network of a model's folder in PyTorch, and its Hessian products."""

import torch

import protocol


def network(path, threads, dtype=torch.float32):
    """The model as an `nn.Sequential` of `nn.Linear`, with its inputs and labels."""
    torch.set_num_threads(threads)
    model = protocol.load(path)
    activation = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[model.activation]
    parts = protocol.split(model, torch.from_numpy(model.parameters).to(dtype))
    modules = []
    for weight, bias in zip(parts[::2], parts[1::2]):
        linear = torch.nn.Linear(*weight.shape, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(bias)
        modules += [linear, activation()]
    inputs = torch.from_numpy(model.inputs).to(dtype)
    return torch.nn.Sequential(*modules[:-1]), inputs, torch.from_numpy(model.labels).long()


class HessianProducts:
    """Products by retained double backward: the gradient's graph is built once."""

    def __init__(self, module, inputs, labels):
        self.parameters = list(module.parameters())
        self.sizes = [parameter.numel() for parameter in self.parameters]
        self.count = 0
        loss = torch.nn.functional.cross_entropy(module(inputs), labels)
        self.gradient = torch.autograd.grad(loss, self.parameters, create_graph=True)

    @property
    def dimension(self):
        return sum(self.sizes)

    def __call__(self, vector):
        """`H v` for a NumPy vector, in its type."""
        self.count += 1
        parts = torch.from_numpy(vector.reshape(-1)).to(self.parameters[0].dtype).split(self.sizes)
        shaped = [part.view_as(like) for part, like in zip(parts, self.parameters)]
        products = torch.autograd.grad(self.gradient, self.parameters, shaped, retain_graph=True)
        return torch.cat([product.reshape(-1) for product in products]).numpy()
