"""Why a question could not be answered: one sentence with the offending name and the next step."""

from __future__ import annotations


class EigenstepError(Exception):
    """A question could not be answered; ``status`` is the exit code of the program for the same."""

    status = 70

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        if status is not None:
            self.status = status


class UsageError(EigenstepError, ValueError):
    """What was asked for cannot be had as it stands."""

    status = 64


class DataError(EigenstepError, ValueError):
    """The data cannot be used."""

    status = 65


class MissingFileError(EigenstepError, FileNotFoundError):
    """There is no such file."""

    status = 66


class UnavailableError(EigenstepError):
    """A library is missing."""

    status = 69


class OutputError(EigenstepError, OSError):
    """An output cannot be written."""

    status = 73


class Interrupted(EigenstepError):
    """Ended before anything was measured."""

    status = 130


_KINDS: dict[int, type[EigenstepError]] = {
    kind.status: kind
    for kind in (UsageError, DataError, MissingFileError, UnavailableError, OutputError, Interrupted)
}


def error_of(status: int, sentence: str) -> EigenstepError:
    kind = _KINDS.get(status)
    return EigenstepError(sentence, status) if kind is None else kind(sentence)
