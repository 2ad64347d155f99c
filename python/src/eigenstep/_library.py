"""The C interface of the shared library, by ctypes: what ``eigenstep.h`` declares, and nothing else."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np

from ._signals import interrupts
from .errors import EigenstepError, error_of

ABI = 1
CALLBACK, INTERRUPTED = 75, 130
FLOAT32, FLOAT64, INT32, INT64, BOOL, TEXT = 1, 2, 3, 4, 5, 6

_ELEMENTS = {
    np.dtype(np.float32): FLOAT32,
    np.dtype(np.float64): FLOAT64,
    np.dtype(np.int32): INT32,
    np.dtype(np.int64): INT64,
    np.dtype(np.bool_): BOOL,
}
_DTYPES = {FLOAT32: np.float32, FLOAT64: np.float64}


class Array(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("element", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("data", ctypes.c_void_p),
    ]


PROGRESS = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_double)
IS_CANCELLED = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)


class Watch(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("progress", PROGRESS),
        ("is_cancelled", IS_CANCELLED),
    ]


VALUE_AND_GRADIENT = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_uint64,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_double),
    ctypes.c_void_p,
)
PRODUCT = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_uint64,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


class Loss(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("description", ctypes.c_char_p),
        ("start", ctypes.POINTER(ctypes.c_double)),
        ("value_and_gradient", VALUE_AND_GRADIENT),
        ("hessian_product", PRODUCT),
        ("gauss_newton_product", PRODUCT),
    ]


APPLY = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Operator(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("dimension", ctypes.c_int64),
        ("element", ctypes.c_int32),
        ("apply", APPLY),
    ]


def _library_path() -> Path:
    given = os.environ.get("EIGENSTEP_LIBRARY")
    if given:
        return Path(given)
    name = "libEigenstepC.dylib" if sys.platform == "darwin" else "libEigenstepC.so"
    return Path(__file__).parent / "_lib" / name


_lock = threading.Lock()
_loaded: ctypes.CDLL | None = None


def library() -> ctypes.CDLL:
    """The loaded library; loaded once, at first use."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load()
    return _loaded


def _load() -> ctypes.CDLL:
    path = _library_path()
    if not path.exists():
        raise ImportError(
            f"eigenstep's library {path} is missing: install the wheel again, or let EIGENSTEP_LIBRARY "
            "name a library that was built by `make library`."
        )
    found = ctypes.CDLL(str(path))
    text, pointer, integer = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int32
    for name, result, arguments in [
        ("eigenstep_abi", integer, []),
        ("eigenstep_version", text, []),
        ("eigenstep_set_runtime", None, [text]),
        ("eigenstep_command", integer, [integer, ctypes.POINTER(text)]),
        (
            "eigenstep_answer",
            pointer,
            [text, ctypes.POINTER(Array), integer, ctypes.POINTER(Loss), ctypes.POINTER(Watch)],
        ),
        (
            "eigenstep_measure",
            pointer,
            [text, ctypes.POINTER(Operator), ctypes.POINTER(Array), integer, ctypes.POINTER(Watch)],
        ),
        ("eigenstep_result_status", integer, [pointer]),
        ("eigenstep_result_error", text, [pointer]),
        ("eigenstep_result_json", text, [pointer]),
        ("eigenstep_result_text", text, [pointer, integer]),
        (
            "eigenstep_result_array",
            ctypes.POINTER(ctypes.c_double),
            [pointer, text, ctypes.POINTER(ctypes.c_int64)],
        ),
        ("eigenstep_result_free", None, [pointer]),
        ("eigenstep_set_language", None, [text]),
        ("eigenstep_result_arrays", text, [pointer]),
    ]:
        function = getattr(found, name)
        function.restype = result
        function.argtypes = arguments
    abi = found.eigenstep_abi()
    if abi != ABI:
        raise ImportError(
            f"{path} has the interface {abi}, and this package {ABI}: install both from one wheel."
        )
    found.eigenstep_set_language(b"python")
    if "ORT_DYLIB_PATH" not in os.environ:
        runtime = _onnx_runtime()
        if runtime is not None:
            found.eigenstep_set_runtime(os.fsencode(runtime))
    return found


def _onnx_runtime() -> Path | None:
    """The library that lies in the package ``onnxruntime``, which need not be imported for it."""
    from importlib.util import find_spec

    spec = find_spec("onnxruntime")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "capi"
    for pattern in ("libonnxruntime.so*", "libonnxruntime*.dylib"):
        for file in sorted(folder.glob(pattern)):
            return file
    return None


class Answer:
    """What a call came to: the report, its text, and arrays beside it."""

    def __init__(self, pointer: int) -> None:
        self._pointer: int | None = pointer

    def __del__(self) -> None:
        if self._pointer is not None and _loaded is not None:
            _loaded.eigenstep_result_free(self._pointer)
            self._pointer = None

    @property
    def status(self) -> int:
        return library().eigenstep_result_status(self._pointer)

    @property
    def error(self) -> str | None:
        sentence = library().eigenstep_result_error(self._pointer)
        return None if sentence is None else sentence.decode()

    def report(self) -> dict[str, Any]:
        return json.loads(library().eigenstep_result_json(self._pointer))

    def text(self, width: int) -> str:
        return library().eigenstep_result_text(self._pointer, width).decode()

    def array(self, name: str) -> np.ndarray | None:
        count = ctypes.c_int64()
        first = library().eigenstep_result_array(
            self._pointer, name.encode(), ctypes.byref(count)
        )
        if not first:
            return None
        return np.ctypeslib.as_array(first, shape=(count.value,)).copy()

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name, in their shapes."""
        entries = library().eigenstep_result_arrays(self._pointer)
        found = {}
        for entry in [] if entries is None else json.loads(entries):
            values = self.array(entry["name"])
            if values is not None:
                found[entry["name"]] = values.reshape(entry["shape"])
        return found

    def __copy__(self) -> Answer:
        return self

    def __deepcopy__(self, memo: Any) -> Answer:
        return self

    def __reduce__(self) -> Any:
        from ._stored import StoredAnswer

        return StoredAnswer, (self.status, self.report(), self.text(80), self.arrays())


class _Arrays:
    """Arrays as the library takes them; holds what they point to."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._held: list[Any] = []
        self.count = len(arrays)
        self.values = (Array * max(1, self.count))()
        for place, (name, value) in enumerate(arrays.items()):
            self.values[place] = self._array(name, value)

    def _array(self, name: str, value: Any) -> Array:
        value = np.asarray(value)
        if value.dtype.kind in "OUS":
            words = [None if _is_missing(word) else str(word).encode() for word in value.ravel()]
            data = (ctypes.c_char_p * max(1, len(words)))(*words)
            element, address = TEXT, ctypes.addressof(data)
        else:
            data = _plain(name, value)
            element, address = _ELEMENTS[data.dtype], data.ctypes.data
        shape = (ctypes.c_int64 * max(1, value.ndim))(*value.shape)
        self._held += [data, shape]
        return Array(name.encode(), element, value.ndim, shape, address)


def _is_missing(word: Any) -> bool:
    return word is None or (isinstance(word, float) and word != word) or type(word).__name__ == "NAType"


def _plain(name: str, value: np.ndarray) -> np.ndarray:
    """Contiguous, in the machine's byte order, of an element that the library has."""
    kind = value.dtype.kind
    if value.dtype not in _ELEMENTS:
        if kind == "f":
            value = value.astype(np.float32 if value.dtype.itemsize < 4 else np.float64)
        elif kind in "iu":
            value = value.astype(np.int32 if value.dtype.itemsize < 4 else np.int64)
        elif kind != "b":
            raise TypeError(
                f"the array {name!r} holds {value.dtype}; give numbers, or words as a column of strings."
            )
    return np.ascontiguousarray(value)


class _Raised:
    """What a callback raised: kept while the library winds down, raised again after it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def has_raised(self) -> bool:
        return self.error is not None

    def guarded(self, work: Callable[[], None]) -> int:
        if self.error is not None:
            return 1
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - KeyboardInterrupt too is raised again
            self.error = error
            return 1
        return 0


def description_of(
    name: str, names: Sequence[str], shapes: Iterable[Sequence[int]], sample_count: int, notes: list[str]
) -> dict[str, Any]:
    """A loss as ``eigenstep.h`` has it described; parameters may share a name."""
    return {
        "name": name,
        "parameters": [{"name": shown, "shape": list(shape)} for shown, shape in zip(names, shapes)],
        "sampleCount": sample_count,
        "notes": notes,
    }


class LossFunctions:
    """A loss that Python computes.

    Parameters
    ----------
    description
        What ``eigenstep.h`` says of it.
    start
        The point, one number per parameter.
    value_and_gradient
        Called with the point and, where it is asked for, an array to write the gradient to; the value comes
        back. A point that was asked about before has the same number.
    hessian_product, gauss_newton_product
        Called with the point's number, the point, a direction, and an array for the product.
    """

    def __init__(
        self,
        description: Mapping[str, Any],
        start: np.ndarray,
        value_and_gradient: Callable[[int, np.ndarray, np.ndarray | None], float],
        hessian_product: Callable[[int, np.ndarray, np.ndarray, np.ndarray], None],
        gauss_newton_product: Callable[[int, np.ndarray, np.ndarray, np.ndarray], None]
        | None = None,
    ) -> None:
        self.description = description
        self.start = np.ascontiguousarray(start, dtype=np.float64)
        self.value_and_gradient = value_and_gradient
        self.hessian_product = hessian_product
        self.gauss_newton_product = gauss_newton_product

    def structure(self, raised: _Raised) -> tuple[Loss, list[Any]]:
        count = self.start.size

        def value(_, element, number, point, value, gradient):
            def work() -> None:
                at = _vector(point, element, count)
                into = _vector(gradient, element, count) if gradient else None
                value[0] = float(self.value_and_gradient(number, at, into))

            return raised.guarded(work)

        def product(function):
            def call(_, element, number, point, direction, result):
                def work() -> None:
                    function(
                        number,
                        _vector(point, element, count),
                        _vector(direction, element, count),
                        _vector(result, element, count),
                    )

                return raised.guarded(work)

            return PRODUCT(call)

        description = json.dumps(self.description).encode()
        loss = Loss(
            None,
            description,
            self.start.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            VALUE_AND_GRADIENT(value),
            product(self.hessian_product),
            PRODUCT() if self.gauss_newton_product is None else product(self.gauss_newton_product),
        )
        return loss, [description, loss]


def _vector(address: int, element: int, count: int) -> np.ndarray:
    dtype = _DTYPES[element]
    kind = ctypes.c_float if dtype is np.float32 else ctypes.c_double
    return np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(kind)), shape=(count,))


def _watch(raised: _Raised, progress: Callable[[str, float | None], None] | None) -> Watch:
    def show(_, stage, fraction):
        if progress is not None:
            raised.guarded(lambda: progress(stage.decode(), fraction if fraction >= 0 else None))

    def is_cancelled(_):
        # Entering Python lets a signal that came in the meantime be raised here.
        return raised.guarded(lambda: None)

    return Watch(None, PROGRESS(show), IS_CANCELLED(is_cancelled))


def answer(
    request: Mapping[str, Any],
    arrays: Mapping[str, Any] | None = None,
    loss: LossFunctions | None = None,
    progress: Callable[[str, float | None], None] | None = None,
) -> Answer:
    """Answers a request.

    Raises
    ------
    EigenstepError
        Where it cannot be met, with one sentence; what a callback raised is raised again.
    """
    raised = _Raised()
    given = _Arrays(arrays or {})
    structure, held = (None, []) if loss is None else loss.structure(raised)
    watch = _watch(raised, progress)
    with interrupts(raised.guarded, raised.has_raised):
        result = Answer(
            library().eigenstep_answer(
                json.dumps(request).encode(),
                given.values,
                given.count,
                None if structure is None else ctypes.byref(structure),
                ctypes.byref(watch),
            )
        )
    del held
    return _checked(result, raised)


def measure(
    request: Mapping[str, Any],
    apply: Callable[[np.ndarray, np.ndarray], None],
    dimension: int,
    dtype: Any,
    arrays: Mapping[str, Any] | None = None,
    progress: Callable[[str, float | None], None] | None = None,
) -> Answer:
    """Measures an operator; ``apply`` writes ``A x`` to its second argument."""
    raised = _Raised()
    given = _Arrays(arrays or {})
    element = _ELEMENTS[np.dtype(dtype)]

    def call(_, x, y):
        return raised.guarded(
            lambda: apply(_vector(x, element, dimension), _vector(y, element, dimension))
        )

    operator = Operator(None, dimension, element, APPLY(call))
    watch = _watch(raised, progress)
    with interrupts(raised.guarded, raised.has_raised):
        result = Answer(
            library().eigenstep_measure(
                json.dumps(request).encode(),
                ctypes.byref(operator),
                given.values,
                given.count,
                ctypes.byref(watch),
            )
        )
    return _checked(result, raised)


def _raise_again(raised: _Raised) -> None:
    if raised.error is not None:
        error, raised.error = raised.error, None
        try:
            raise error
        finally:
            # With the error's own frames a name for it would be a circle, which holds all that they hold.
            del error


def _checked(result: Answer, raised: _Raised) -> Answer:
    _raise_again(raised)
    sentence = result.error
    if sentence is not None:
        raise error_of(result.status, sentence)
    return result
