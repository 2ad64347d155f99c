"""The command ``eigenstep``: the program, run by the library in this process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from ._library import library


def main() -> int:
    """Runs the program with the arguments of this process; its exit code.

    The process is the program's own: signals do what they do to a program that Python does not run.
    """
    for number, python_has in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGPIPE, signal.SIG_IGN),
    ):
        # Python ignores SIGPIPE whatever it was started with; an ignored SIGINT came from whoever started it.
        if signal.getsignal(number) is python_has:
            signal.signal(number, signal.SIG_DFL)
    arguments = [b"eigenstep", *map(os.fsencode, sys.argv[1:])]
    return library().eigenstep_command(
        len(arguments), (ctypes.c_char_p * (len(arguments) + 1))(*arguments)
    )


if __name__ == "__main__":
    sys.exit(main())
