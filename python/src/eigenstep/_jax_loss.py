"""A JAX loss as the library asks for it."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from . import _library
from .errors import UsageError


class JaxLoss:
    """``loss(params, batch)`` over any pytree of parameters, compiled once for each kind of question.

    Sharding and devices are the user's: parameters are put where theirs lie.
    """

    def __init__(
        self, loss: Callable[[Any, Any], Any], params: Any, batches: Sequence[Any], *, dtype: Any = None
    ) -> None:
        leaves, self.tree = jax.tree_util.tree_flatten_with_path(params)
        if not leaves:
            raise UsageError("The parameters hold no arrays; give the pytree that the loss takes.")
        self.names = [jax.tree_util.keystr(path).strip(".[]'\"") or "parameters" for path, _ in leaves]
        arrays = [jnp.asarray(leaf) for _, leaf in leaves]
        for name, array in zip(self.names, arrays):
            if not jnp.issubdtype(array.dtype, jnp.floating):
                raise UsageError(
                    f"The parameter {name} holds {array.dtype}: leave it out of the pytree, or close over it."
                )
        wide = all(array.dtype == jnp.float64 for array in arrays)
        self.dtype = np.dtype(dtype if dtype is not None else (np.float64 if wide else np.float32))
        if self.dtype == np.float64 and not jax.config.jax_enable_x64:
            raise UsageError(
                "float64 needs jax.config.update('jax_enable_x64', True), before anything is computed."
            )
        self.shapes = [array.shape for array in arrays]
        self.sizes = [int(array.size) for array in arrays]
        self.shardings = [getattr(array, "sharding", None) for array in arrays]
        self.arrays = arrays
        self.batches = list(batches)
        counts = [_sample_count(batch) for batch in self.batches]
        self.sample_count = sum(counts)
        self.weights = [count / self.sample_count for count in counts]
        self.notes: list[str] = []
        treedef = jax.tree_util.tree_structure(params)

        def value(parts: list[jax.Array], batch: Any) -> jax.Array:
            result = loss(jax.tree_util.tree_unflatten(treedef, parts), batch)
            result = jnp.asarray(result)
            if result.size != 1:
                raise UsageError(
                    f"The loss has the shape {result.shape}: average it over the samples, as jnp.mean does."
                )
            return result.reshape(())

        self._value = jax.jit(value)
        self._value_and_gradient = jax.jit(jax.value_and_grad(value))
        self._product = jax.jit(
            lambda parts, batch, along: jax.jvp(
                lambda p: jax.grad(value)(p, batch), (parts,), (along,)
            )[1]
        )
        self._point: tuple[int, list[jax.Array]] | None = None
        first = float(self._value(self._parts_of_start(), self.batches[0]))
        if float(self._value(self._parts_of_start(), self.batches[0])) != first:
            self.notes.append("The loss changes from call to call; fix its random key.")

    def description(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "parameters": [
                {"name": shown, "shape": list(shape)} for shown, shape in zip(self.names, self.shapes)
            ],
            "sampleCount": self.sample_count,
            "notes": self.notes,
        }

    def start(self) -> np.ndarray:
        return np.concatenate([np.asarray(a, dtype=np.float64).reshape(-1) for a in self.arrays])

    def functions(self, name: str) -> _library.LossFunctions:
        return _library.LossFunctions(
            self.description(name), self.start(), self.value_and_gradient, self.hessian_product
        )

    def value_and_gradient(
        self, number: int, point: np.ndarray, gradient: np.ndarray | None
    ) -> float:
        parts = self._load(number, point)
        total = 0.0
        if gradient is not None:
            gradient[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            if gradient is None:
                total += weight * float(self._value(parts, batch))
                continue
            value, slopes = self._value_and_gradient(parts, batch)
            total += weight * float(value)
            self._add(gradient, slopes, weight)
        return total

    def hessian_product(
        self, number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
    ) -> None:
        parts, along = self._load(number, point), self._split(direction)
        result[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            self._add(result, self._product(parts, batch, along), weight)

    def _load(self, number: int, point: np.ndarray) -> list[jax.Array]:
        if self._point is None or self._point[0] != number:
            self._point = (number, self._split(point.copy()))
        return self._point[1]

    def _parts_of_start(self) -> list[jax.Array]:
        return self._split(self.start())

    def _split(self, vector: np.ndarray) -> list[jax.Array]:
        parts = []
        for part, shape, sharding in zip(
            np.split(vector, np.cumsum(self.sizes)[:-1]), self.shapes, self.shardings
        ):
            array = np.asarray(part, dtype=self.dtype).reshape(shape)
            parts.append(jax.device_put(array, sharding) if sharding is not None else jnp.array(array))
        return parts

    def _add(self, result: np.ndarray, parts: Sequence[jax.Array], weight: float) -> None:
        offset = 0
        for part, size in zip(parts, self.sizes):
            result[offset : offset + size] += weight * np.asarray(part).reshape(-1)
            offset += size


def _sample_count(batch: Any) -> int:
    for leaf in jax.tree_util.tree_leaves(batch):
        shape = getattr(leaf, "shape", ())
        if len(shape):
            return max(1, int(shape[0]))
    return 1
