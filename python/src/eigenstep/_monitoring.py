"""The monitor of the shared library, by ctypes: what ``eigenstep.h`` declares of it."""

from __future__ import annotations

import ctypes
import json
from typing import Any, Mapping, Sequence

from . import _library
from ._library import Answer, Array, Loss, LossFunctions, Watch
from ._signals import interrupts
from .errors import OutputError, UsageError, error_of

ALARM, CHECK = 1, 2

_declared: ctypes.CDLL | None = None


def _functions() -> ctypes.CDLL:
    global _declared
    if _declared is not None:
        return _declared
    found = _library.library()
    text, pointer, integer, real = (
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_int32,
        ctypes.c_double,
    )
    for name, result, arguments in [
        ("open", pointer, [text, ctypes.POINTER(pointer)]),
        ("step", integer, [pointer, real, real, real]),
        ("wait", ctypes.c_int64, [pointer]),
        ("alarm", pointer, [pointer]),
        (
            "check",
            pointer,
            [
                pointer,
                ctypes.POINTER(Loss),
                integer,
                real,
                ctypes.POINTER(Array),
                integer,
                ctypes.POINTER(Watch),
            ],
        ),
        ("keep", integer, [pointer, ctypes.POINTER(ctypes.c_int64), integer]),
        ("report", pointer, [pointer, text]),
        ("state", pointer, [pointer]),
        ("restore", pointer, [pointer, text]),
        ("close", None, [pointer]),
    ]:
        function = getattr(found, f"eigenstep_monitor_{name}")
        function.restype = result
        function.argtypes = arguments
    _declared = found
    return found


class Session:
    """A monitor's handle."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._library = _functions()
        handle = ctypes.c_void_p()
        result = Answer(
            self._library.eigenstep_monitor_open(
                json.dumps(settings).encode(), ctypes.byref(handle)
            )
        )
        _library._checked(result, _library._Raised())
        self._handle: int | None = handle.value
        self._step = self._library.eigenstep_monitor_step

    def step(self, loss: float, rate: float, next_rate: float) -> int:
        """Bits of what a step asks for."""
        news = self._step(self._open(), loss, rate, next_rate)
        if news < 0:
            raise OutputError("The log of the monitor cannot be written: look at its folder.")
        return news

    def _open(self) -> int:
        if self._handle is None:
            raise UsageError("The monitor is closed; make another one.")
        return self._handle

    def wait(self) -> int:
        return self._library.eigenstep_monitor_wait(self._open())

    def alarm(self) -> dict[str, Any]:
        return _report(self._library.eigenstep_monitor_alarm(self._open()))

    def check(
        self, losses: Sequence[LossFunctions], rate: float, arrays: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        raised = _library._Raised()
        given = _library._Arrays(arrays)
        held = [loss.structure(raised) for loss in losses]
        structures = (Loss * len(held))(*(structure for structure, _ in held))
        watch = _library._watch(raised, None)
        handle = self._open()
        with interrupts(raised.guarded, raised.has_raised):
            result = Answer(
                self._library.eigenstep_monitor_check(
                    handle, structures, len(held), rate, given.values, given.count,
                    ctypes.byref(watch),
                )
            )
            status, sentence = result.status, result.error
            values = [] if sentence is not None else result.report()["values"]
            # Freed here: an interrupt that comes while an object ends is lost.
            del result
        _library._raise_again(raised)
        if sentence is not None:
            raise error_of(status, sentence)
        return values

    def keep(self) -> list[int] | None:
        """The steps whose points are to be kept, where this one is wanted."""
        steps = (ctypes.c_int64 * 8)()
        count = self._library.eigenstep_monitor_keep(self._open(), steps, 8)
        return None if count < 0 else list(steps[:count])

    def report(self, note: str | None = None) -> Answer:
        return _library._checked(
            Answer(
                self._library.eigenstep_monitor_report(
                    self._open(), None if note is None else note.encode()
                )
            ),
            _library._Raised(),
        )

    def state(self) -> str:
        return json.dumps(_report(self._library.eigenstep_monitor_state(self._open())))

    def restore(self, state: str) -> None:
        _report(self._library.eigenstep_monitor_restore(self._open(), state.encode()))

    def close(self) -> None:
        if self._handle is not None:
            self._library.eigenstep_monitor_close(self._handle)
            self._handle = None

    @property
    def is_open(self) -> bool:
        return self._handle is not None

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self.close()


def _report(pointer: int) -> dict[str, Any]:
    return _library._checked(Answer(pointer), _library._Raised()).report()


