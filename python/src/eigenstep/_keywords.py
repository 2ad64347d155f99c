"""The types of the keyword arguments, for editors and type checkers; `_options` says what they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Union

Path = Union[str, "os.PathLike[str]"]


class CommonKeywords(TypedDict, total=False):
    """Of every function."""

    y: Any
    target: str
    features: str | Sequence[str]
    drop: str | Sequence[str]
    keep: str | Sequence[str]
    model: str
    hidden: int | Sequence[int]
    activation: str
    loss: str
    intercept: bool
    reduction: str
    missing: str
    standardise: bool
    l2: float
    data: Path | Mapping[str, Any]
    output: str
    loss_output: str
    parameters: str | Sequence[str]
    freeze: str | Sequence[str]
    samples: int
    batch_axis: int
    training: bool
    as_logits: bool
    optimizer: str | Mapping[str, Any]
    momentum: float
    beta1: float
    beta2: float
    batch: int
    sampling: str
    seed: int
    precision: Any
    executor: str
    memory: int | str
    threads: int


class DiagnoseKeywords(CommonKeywords, total=False):
    """Of `diagnose`."""

    start: Path | Mapping[str, Any]
    save_parameters: Path
    lr: float
    at: int | str
    weight_decay: float
    tolerance: float
    max_iterations: int
    trials: bool
    effort: float


class SpectrumKeywords(CommonKeywords, total=False):
    """Of `spectrum`."""

    start: Path | Mapping[str, Any]
    save_parameters: Path
    lr: float
    at: int | str
    count: int
    which: str
    operator: str
    precondition: Any
    tolerance: float
    density: bool
    error: float
    trace: bool
    diagonal: bool
    per_layer: bool
    intervals: bool


class TrainKeywords(CommonKeywords, total=False):
    """Of `train`."""

    start: Path | Mapping[str, Any]
    lr: float | str
    last: str
    accumulate: int
    epochs: int
    steps: int
    schedule: str | Mapping[str, Any]
    warm_up: float
    clip_value: float
    clip_norm: float
    weight_decay: float
    no_decay: str | Sequence[str]
    rate: str | Sequence[str] | Mapping[str, str | float]
    rate_file: Path | Mapping[str, Any]
    held_out: Any
    patience: int
    then: str | Mapping[str, Any]
    switch: str | Mapping[str, Any]
    track: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]]
    guard: str
    checkpoint: Path
    keep_checkpoints: int
    checkpoint_every: int
    resume: bool
    log: Path
    save: Path


class SweepKeywords(CommonKeywords, total=False):
    """Of `sweep`."""

    save_parameters: Path
    lr: str | tuple[float, float] | tuple[float, float, int]
    epochs: int
    steps: int
    schedule: str | Mapping[str, Any]
    warm_up: float
    clip_norm: float
    weight_decay: float
    held_out: Any
    seeds: int
    range_test: bool
    auto: bool
