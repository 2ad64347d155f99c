"""The processes of a group: who is there, what is passed between them, and what is said when one is gone."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import socket
import sys
import threading
import time
import warnings
from typing import Any, Callable, Iterator

import numpy as np
import torch
import torch.distributed as dist

from .errors import EigenstepError, UsageError, error_of

LOST = 75
ARRIVAL = 300.0
"""Seconds that a rank waits for the others to ask the same question."""

_calls: dict[str, int] = {}


class Ranks:
    """A process group in which the first rank asks and the others answer.

    Parameters
    ----------
    group
        As ``torch.distributed`` has it; None: all processes.
    device
        Where parameters lie: what the group passes on lies there, unless it takes host memory too.
    """

    def __init__(self, group: Any, device: torch.device) -> None:
        everyone: Any = dist.group.WORLD
        self.group = everyone if group is None else group
        self.rank, self.size = dist.get_rank(self.group), dist.get_world_size(self.group)
        if self.rank < 0:
            raise UsageError(
                "This process is no member of the group: call on the ranks of the group alone."
            )
        kinds = getattr(self.group, "_device_types", [torch.device("cpu")])
        on_host = torch.device("cpu") in [torch.device(kind.type) for kind in kinds]
        self.device = torch.device("cpu") if on_host else device
        self._first: int = dist.get_global_rank(self.group, 0)
        self._processes: list[tuple[str, int]] = []
        self._question = ""
        self.said: BaseException | None = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    # What is passed on.

    def broadcast(self, vector: np.ndarray) -> None:
        """Overwrites the others' vector by that of the first rank."""
        tensor = torch.from_numpy(vector).to(self.device)
        with self._listening():
            dist.broadcast(tensor, self._first, group=self.group)
        self._take(tensor, vector)

    def add_up(self, vector: np.ndarray) -> None:
        """Replaces the first rank's vector by the sum of all."""
        tensor = torch.from_numpy(vector).to(self.device)
        with self._listening():
            dist.reduce(tensor, self._first, group=self.group)
        self._take(tensor, vector)

    def sums(self, values: list[float]) -> list[float]:
        """The sums over all ranks, on all."""
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        with self._listening():
            dist.all_reduce(tensor, group=self.group)
        return tensor.tolist()

    def from_first(self, value: Any) -> Any:
        """What the first rank has."""
        held = [value]
        with self._listening():
            dist.broadcast_object_list(held, self._first, group=self.group, device=self.device)
        return held[0]

    def from_all(self, value: Any) -> list[Any]:
        """What each rank has, in their order."""
        values: list[Any] = [None] * self.size
        with self._listening():
            dist.all_gather_object(values, value, group=self.group)
        return values

    def _take(self, tensor: torch.Tensor, vector: np.ndarray) -> None:
        if tensor.device.type != "cpu":
            vector[:] = tensor.cpu().numpy()

    # Who is there.

    def gather(self) -> None:
        """Waits until every rank has come here.

        Raises
        ------
        EigenstepError
            Where one does not come; by then nothing has been passed on.
        """
        store = _store()
        if store is not None:
            name = str(getattr(self.group, "group_name", "group"))
            call = _calls[name] = _calls.get(name, 0) + 1
            self._question = f"{name}/{call}"
            keys = [f"{self._question}/{rank}" for rank in range(self.size)]
            store.set(keys[self.rank], "here")
            try:
                self._await(store, keys)
            except BaseException:
                _calls[name] -= 1
                with contextlib.suppress(Exception):
                    store.delete_key(keys[self.rank])
                raise
        self._processes = self.from_all((socket.gethostname(), os.getpid()))

    def _await(self, store: Any, keys: list[str]) -> None:
        began, is_said = time.monotonic(), False
        while True:
            missing = [rank for rank, key in enumerate(keys) if not store.check([key])]
            if not missing:
                return
            if time.monotonic() - began > ARRIVAL:
                raise EigenstepError(
                    f"{_named(missing)} did not ask the same question within {ARRIVAL:.0f} s: call on all "
                    "ranks, or give model.module to measure on this rank alone.",
                    LOST,
                )
            if not is_said and time.monotonic() - began > ARRIVAL / 10:
                is_said = True
                warnings.warn(
                    f"eigenstep waits on rank {self.rank} for {_named(missing).lower()}: ask on all ranks.",
                    stacklevel=2,
                )
            time.sleep(0.001 if time.monotonic() - began < 0.1 else 0.05)

    def agree(self, error: BaseException | None, facts: Any) -> list[Any]:
        """The facts of all ranks, unless one has an error: then all raise it.

        Raises
        ------
        EigenstepError
            The same sentence on all ranks, with the rank that it comes from.
        """
        answers = self.from_all((None if error is None else self.words(error), facts))
        failures = [words for words, _ in answers if words is not None]
        if not failures:
            return [facts for _, facts in answers]
        if error is not None and (
            not isinstance(error, Exception) or len({words[2] for words in failures}) == 1
            and len(failures) == self.size
        ):
            self.said = error
            raise error
        self.said = self.told(failures[0])
        raise self.said from error

    # What is said when something goes wrong.

    def words(self, error: BaseException) -> tuple[int, int, str]:
        """The rank, the status and the sentence of an error, which can be passed on."""
        if isinstance(error, KeyboardInterrupt):
            return self.rank, 130, "It was interrupted."
        if isinstance(error, EigenstepError):
            return self.rank, error.status, str(error)
        lines = str(error).strip().split("\n")
        return self.rank, LOST, f"{type(error).__name__}: {lines[0]}"

    def told(self, words: tuple[int, int, str]) -> EigenstepError:
        """The error that all ranks raise."""
        rank, status, sentence = words
        return error_of(status, f"Rank {rank} could not answer. {sentence}")

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Says of a broken connection who is gone."""
        try:
            yield
        except RuntimeError as error:
            raise self.lost(error) from error

    def leave(self, error: BaseException) -> BaseException:
        """What to raise where the model's own collectives are under way, which a failed rank cannot join.

        Unless all have failed, the group is broken, so that the others wait no longer.
        """
        store = _store()
        if store is None or isinstance(error, RuntimeError) and self.gone():
            self.said = error if store is None else self.lost(error)
            return self.said
        key, words = f"failed/{self._question}", self.words(error)
        first = tuple(json.loads(store.compare_set(key, "", json.dumps(words))))
        keys = [f"{key}/{rank}" for rank in range(self.size)]
        store.set(keys[self.rank], "failed")
        is_own = first[0] == self.rank and not isinstance(error, Exception)
        self.said = error if is_own or words[2] == first[2] and words[0] != first[0] else self.told(first)
        ends = time.monotonic() + 2
        while not store.check(keys) and time.monotonic() < ends:
            time.sleep(0.01)
        if not store.check(keys):
            with contextlib.suppress(Exception):
                self.group.abort()
        return self.said

    def lost(self, error: BaseException) -> EigenstepError:
        key, gone, store = f"failed/{self._question}", list[int](), _store()
        with contextlib.suppress(Exception):
            if self._question and store.check([key]):
                return self.told(tuple(json.loads(store.get(key))))
        # A connection is closed a moment before the process is seen to have ended.
        for _ in range(20):
            gone = self.gone()
            if gone or not self._processes:
                break
            time.sleep(0.005)
        if gone:
            return EigenstepError(
                f"{_named(gone)} ended in the middle of the measurement: look at what "
                f"{'they' if len(gone) > 1 else 'it'} printed last.",
                LOST,
            )
        others = [rank for rank in range(self.size) if rank != self.rank]
        words = str(error).strip().split("\n")[0]
        who = _named(others) if len(others) == 1 else "One of the other ranks"
        return EigenstepError(
            f"{who} ended, or did not answer within the group's timeout: {words}", LOST
        )

    def gone(self) -> list[int]:
        """The ranks on this machine whose processes have ended."""
        here = socket.gethostname()
        return [
            rank
            for rank, (host, process) in enumerate(self._processes)
            if rank != self.rank and host == here and not _is_running(process)
        ]

    @contextlib.contextmanager
    def until_terminated(self) -> Iterator[None]:
        """Says why, where the process is ended from outside; torchrun does that when a rank has ended."""
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        ):
            yield
            return

        def tell(number: int, _: Any) -> None:
            gone = self.gone()
            reason = f", since {_named(gone).lower()} ended" if gone else ""
            sys.stderr.write(
                f"eigenstep: rank {self.rank} was ended in the middle of a measurement{reason}.\n"
            )
            sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

        signal.signal(signal.SIGTERM, tell)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Lets Ctrl-C come after the block: between two messages it would leave the ranks at odds."""
    previous = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(previous):
        yield
        return
    caught: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if caught:
            previous(*caught[0])


def _store() -> Any:
    find: Callable[[], Any] | None = getattr(dist.distributed_c10d, "_get_default_store", None)
    if find is None:
        return None
    store = find()
    # A rank asks again and again, and is not to wait in each question.
    with contextlib.suppress(Exception):
        store = dist.PrefixStore("eigenstep", store)
        store.set_timeout(datetime.timedelta(seconds=ARRIVAL))
    return store


def _is_running(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        pass
    if sys.platform == "linux":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _named(ranks: list[int]) -> str:
    if len(ranks) == 1:
        return f"Rank {ranks[0]}"
    return "Ranks " + ", ".join(map(str, ranks[:-1])) + f" and {ranks[-1]}"
