"""Interrupts while the library works."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator


@contextmanager
def interrupts(
    guarded: Callable[[Callable[[], None]], int], has_raised: Callable[[], bool]
) -> Iterator[None]:
    """Hands what the handler of SIGINT raises to `guarded`, as long as the library works.

    Raised wherever the interpreter happens to be, it would be lost at the edge of a callback. A second interrupt
    is raised at once.
    """
    handler: Any = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        yield
        return

    def receive(number: int, frame: Any) -> None:
        if has_raised():
            handler(number, frame)
        else:
            guarded(lambda: handler(number, frame))

    signal.signal(signal.SIGINT, receive)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
