"""A JAX loss as the library asks for it."""

from __future__ import annotations

import math
import re
from typing import Any, Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from . import _library
from ._differences import Differences
from .errors import DataError, UsageError

_HALF = (jnp.dtype(jnp.float16), jnp.dtype(jnp.bfloat16))


class JaxLoss:
    """``loss(params, batch)`` over any pytree of parameters, compiled once for each kind of question.

    Sharding and devices are the user's: parameters are put where theirs lie.

    Parameters
    ----------
    loss
        A scalar; with ``has_aux`` it and anything else. Where ``rng`` is given it is the third argument.
    batches
        What is passed to ``loss`` in turn; their losses are averaged by numbers of samples.
    products
        ``"autograd"``, or ``"differences"`` of gradients, for operations without a second derivative.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        params: Any,
        batches: Sequence[Any],
        *,
        dtype: Any = None,
        has_aux: bool = False,
        rng: Any = None,
        products: str = "autograd",
    ) -> None:
        if products not in ("autograd", "differences"):
            raise UsageError(f"products is {products!r}: it is 'autograd' or 'differences'.")
        leaves, self.tree = jax.tree_util.tree_flatten_with_path(params)
        if not leaves:
            raise UsageError("The parameters hold no arrays; give the pytree that the loss takes.")
        self.names = [_shown(path) for path, _ in leaves]
        self.arrays = [jnp.asarray(leaf) for _, leaf in leaves]
        for name, array in zip(self.names, self.arrays):
            if not jnp.issubdtype(array.dtype, jnp.floating):
                raise UsageError(
                    f"The parameter {name} holds {array.dtype}: leave it out of the pytree, or close over it."
                )
        self.notes: list[str] = []
        self.dtype = self._own_dtype(dtype)
        self.shapes = [array.shape for array in self.arrays]
        self.sizes = [int(array.size) for array in self.arrays]
        self.shardings = [getattr(array, "sharding", None) for array in self.arrays]
        self.batches = list(batches)
        counts = [_sample_count(batch) for batch in self.batches]
        self.sample_count = sum(counts)
        self.weights = [count / self.sample_count for count in counts]
        self.differences: Differences | None = None
        self._point: tuple[int, list[jax.Array]] | None = None
        self._loss, self._has_aux, self._rng = loss, has_aux, rng
        self._compile(is_jitted=True)
        self._check(products)
        self._point = None

    # What the library is told.

    def description(self, name: str) -> dict[str, Any]:
        return _library.description_of(name, self.names, self.shapes, self.sample_count, self.notes)

    def start(self) -> np.ndarray:
        return np.concatenate([np.asarray(a, dtype=np.float64).reshape(-1) for a in self.arrays])

    def functions(self, name: str) -> _library.LossFunctions:
        return _library.LossFunctions(
            self.description(name), self.start(), self.value_and_gradient, self.hessian_product
        )

    # What the library asks.

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
        if self.differences is not None:
            result[:] = self.differences.product(point, direction)
            return
        parts, along = self._load(number, point), self._split(direction)
        result[:] = 0
        for weight, batch in zip(self.weights, self.batches):
            self._add(result, self._product(parts, batch, along), weight)

    # How it is done.

    def _evaluated(self, parts: list[jax.Array], batch: Any) -> jax.Array:
        params = jax.tree_util.tree_unflatten(self.tree, parts)
        result = self._loss(params, batch) if self._rng is None else self._loss(params, batch, self._rng)
        if self._has_aux:
            result = result[0]
        elif isinstance(result, tuple):
            raise UsageError("The loss returns a tuple: give has_aux=True where its first item is the loss.")
        result = jnp.asarray(result)
        if result.size != 1:
            raise UsageError(
                f"The loss is no scalar but of the shape {result.shape}: average it over the samples, as "
                "jnp.mean does."
            )
        return result.reshape(())

    def _compile(self, is_jitted: bool, is_forward: bool = True) -> None:
        jit = jax.jit if is_jitted else lambda function: function
        value = self._evaluated

        def forward_over_reverse(parts: Any, batch: Any, along: Any) -> Any:
            return jax.jvp(lambda p: jax.grad(value)(p, batch), (parts,), (along,))[1]

        def reverse_over_reverse(parts: Any, batch: Any, along: Any) -> Any:
            return jax.vjp(lambda p: jax.grad(value)(p, batch), parts)[1](along)[0]

        self._is_jitted = is_jitted
        self._value: Callable[..., jax.Array] = jit(value)
        self._value_and_gradient = jit(jax.value_and_grad(value))
        self._product = jit(forward_over_reverse if is_forward else reverse_over_reverse)

    def _load(self, number: int, point: np.ndarray) -> list[jax.Array]:
        if self._point is None or self._point[0] != number:
            self._point = (number, self._split(point.copy()))
        return self._point[1]

    def _gradient(self, point: np.ndarray) -> np.ndarray:
        result = np.empty_like(point)
        self._point = None
        self.value_and_gradient(-1, point, result)
        self._point = None
        return result

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

    # What it cannot do, found out before anything is measured.

    def _own_dtype(self, dtype: Any) -> np.dtype:
        kinds = {array.dtype for array in self.arrays}
        own = np.dtype(dtype if dtype is not None else (
            np.float64 if kinds == {jnp.dtype(jnp.float64)} else np.float32))
        if own not in (np.float32, np.float64):
            raise UsageError(f"dtype is {own}: products are taken in float32 or float64.")
        if own == np.float64 and not jax.config.read("jax_enable_x64"):
            raise UsageError(
                "float64 needs jax.config.update('jax_enable_x64', True), before anything is computed."
            )
        halves = sorted(kind.name for kind in kinds if kind in _HALF)
        if halves:
            self.notes.append(
                f"Parameters are {' and '.join(halves)}: the loss is computed from copies of them in "
                f"{own.name}, since half precision is too coarse for second derivatives."
            )
        return own

    def _check(self, products: str) -> None:
        point = self.start().astype(self.dtype)
        try:
            traced = self._traced(point)
        except jax.errors.ConcretizationTypeError:
            self._compile(is_jitted=False)
            self.notes.append(
                "The loss cannot be compiled (it decides by values of arrays), so it is run step by step; "
                "jnp.where and lax.cond in place of if would make it faster."
            )
        else:
            # What Python draws is a constant of the trace.
            if not _are_alike(traced, self._traced(point)):
                raise UsageError(
                    "The loss changes from call to call (it draws in Python, or keeps a state): let it take a "
                    "key, as loss(params, batch, rng), and give rng."
                )
            self._note_halves(traced)
        slope = np.empty_like(point)
        if not math.isfinite(self.value_and_gradient(0, point, slope)):
            raise DataError(self._where_non_finite(point))
        if products == "differences":
            random = np.random.default_rng(1).standard_normal(point.size)
            self.differences = Differences(
                self._gradient, point, [slope if slope.any() else random, random]
            )
            self.differences.require_accuracy()
            self.notes.append(self.differences.note)
            return
        result = self._tried(point)
        if not np.isfinite(result).all():
            raise DataError(
                f"The loss is finite at the start, but its second derivative in "
                f"'{self._first_bad(result)}' is not: keep sqrt, norm and log away from zero, by a small "
                "constant inside."
            )

    def _tried(self, point: np.ndarray) -> np.ndarray:
        """A product, backward over backward where forward over backward is not to be had."""
        result = np.empty_like(point)
        try:
            self.hessian_product(0, point, np.ones_like(point), result)
        except (TypeError, NotImplementedError, ValueError):
            self._compile(self._is_jitted, is_forward=False)
            try:
                self.hessian_product(0, point, np.ones_like(point), result)
            except (TypeError, NotImplementedError, ValueError) as error:
                reason = str(error).strip().split("\n")[0].rstrip(".")
                raise UsageError(
                    f"The loss has no second derivative in JAX ({reason}): measure with "
                    "products='differences', or replace the operation."
                ) from error
        return result

    def _traced(self, point: np.ndarray) -> Any:
        return jax.make_jaxpr(self._evaluated)(self._load(0, point), self.batches[0])

    def _note_halves(self, traced: Any) -> None:
        if any(
            getattr(variable.aval, "dtype", None) in _HALF
            for equation in _equations(traced.jaxpr)
            for variable in equation.outvars
        ):
            self.notes.append(
                "The loss computes in half precision on the way, so that its products have three or fewer "
                "good digits; leave the casts out of it for better ones."
            )

    def _where_non_finite(self, point: np.ndarray) -> str:
        if not np.isfinite(point).all():
            return (
                f"The loss is not finite at the start, as the parameter '{self._first_bad(point)}' is not: give "
                "finite parameters."
            )
        for batch in self.batches:
            for path, leaf in jax.tree_util.tree_flatten_with_path(batch)[0]:
                kind = getattr(leaf, "dtype", None)
                if kind is not None and jnp.issubdtype(kind, jnp.floating):
                    if not bool(jnp.isfinite(leaf).all()):
                        return (
                            f"The loss is not finite at the start, as numbers in the batch's {_shown(path)} are "
                            "not: clean the samples first."
                        )
        return (
            "The loss is not finite at the start though parameters and batch are: numbers in between "
            "overflow, or the logarithm of zero is taken; jax.config.update('jax_debug_nans', True) shows where."
        )

    def _first_bad(self, vector: np.ndarray) -> str:
        parts = np.split(vector, np.cumsum(self.sizes)[:-1])
        return next(n for n, part in zip(self.names, parts) if not np.isfinite(part).all())


def _shown(path: Any) -> str:
    """A leaf's place, as the names of layers go: ``layers.0.weight``."""
    words = [
        str(next(getattr(key, kind) for kind in ("key", "idx", "name") if hasattr(key, kind)))
        for key in path
    ]
    return ".".join(words) or "parameters"


def _equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)


def _are_alike(one: Any, other: Any) -> bool:
    """Whether two traces compute the same: the same operations, with the same constants."""
    if re.sub("0x[0-9a-f]+", "", str(one)) != re.sub("0x[0-9a-f]+", "", str(other)):
        return False
    return len(one.consts) == len(other.consts) and all(
        a is b or not hasattr(a, "dtype") or jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
        or np.array_equal(np.asarray(a), np.asarray(b), equal_nan=a.dtype.kind == "f")
        for a, b in zip(one.consts, other.consts)
    )


def _sample_count(batch: Any) -> int:
    for leaf in jax.tree_util.tree_leaves(batch):
        shape = getattr(leaf, "shape", ())
        if len(shape):
            return max(1, int(shape[0]))
    return 1
