"""What all tests of the package rest on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    # A shell lets what it starts in the background ignore interrupts, which tests send to themselves.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
