"""Two ranks measure as one process does, and the end of one is told on the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

HERE = Path(__file__).parent


def run(folder: Path, scenario: str) -> tuple[list[dict[str, Any] | None], str, float]:
    """What the ranks wrote, what was printed, and the seconds that it took."""
    began = time.monotonic()
    found = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(HERE / "ranks_of_two.py"), str(folder), scenario,
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "SWIFT_BACKTRACE": "enable=no"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
    )
    files = [folder / f"{rank}.json" for rank in range(2)]
    results = [json.loads(file.read_text()) if file.exists() else None for file in files]
    return results, found.stdout, time.monotonic() - began


def dense_eigenvalues() -> np.ndarray:
    """All samples on one process, the Hessian written out by PyTorch."""
    from importlib.util import module_from_spec, spec_from_file_location

    argv, sys.argv = sys.argv, ["ranks_of_two.py", ".", "none"]
    try:
        spec = spec_from_file_location("ranks_of_two", HERE / "ranks_of_two.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.argv = argv
    model, (x, y) = module.network(), module.data()
    start = nn.utils.parameters_to_vector(model.parameters()).detach()
    names, shapes = zip(*[(name, p.shape) for name, p in model.named_parameters()])

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = flat.split([shape.numel() for shape in shapes])
        values = {name: part.reshape(shape) for name, part, shape in zip(names, parts, shapes)}
        return nn.functional.mse_loss(torch.func.functional_call(model, values, (x,)), y)

    found = np.linalg.eigvalsh(torch.autograd.functional.hessian(loss, start).numpy())
    return np.concatenate([found[:-4:-1], found[:3]])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    results, printed, _ = run(tmp_path_factory.mktemp("measure"), "measure")
    assert None not in results, printed
    return results


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    results, printed, _ = run(tmp_path_factory.mktemp("fail"), "fail")
    assert None not in results, printed
    return results


@pytest.mark.parametrize("halves", ["equal", "unequal"])
@pytest.mark.parametrize("way", ["ddp", "given", "fsdp", "differences"])
def test_two_ranks_find_the_eigenvalues_of_one(measured, way: str, halves: str) -> None:
    expected = dense_eigenvalues()
    for found in measured:
        values = found[f"{way} {halves}"]
        values = values["values"] if way == "differences" else values
        assert np.abs(np.array(values) - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("halves", ["equal", "unequal"])
def test_a_sharded_model_is_left_as_it_was(measured, halves: str) -> None:
    for found in measured:
        assert found[f"untouched {halves}"] and found[f"trains {halves}"]


def test_differences_say_their_error(measured) -> None:
    notes = " ".join(measured[0]["differences equal"]["notes"])
    assert "differences of gradients" in notes and "of the product" in notes


def test_a_model_too_large_to_be_whole_is_measured_as_it_is_sharded(measured) -> None:
    expected = dense_eigenvalues()
    for found in measured:
        assert found["spectrum"] == pytest.approx([expected[0], expected[3]], rel=1e-6)


def test_all_ranks_have_the_diagnosis(measured) -> None:
    assert measured[0]["own"] and measured[1]["own"]
    first, second = (found["diagnosis"] for found in measured)
    assert first[1].startswith("Sequential: 20 samples; ")
    assert first == second
    assert first[0] == pytest.approx(dense_eigenvalues()[0], rel=1e-6)
    assert "2 ranks measured together, 6 to 14 samples each" in " ".join(first[1].split())


def test_batch_norm_on_each_rank_is_explained(measured) -> None:
    assert "BatchNorm takes its statistics on each rank" in measured[0]["notes"]


def test_a_rank_that_raises_is_named_on_all(failed) -> None:
    sentence = "Rank 1 could not answer. ValueError: the disc is full"
    assert [found["raises"][1] for found in failed] == [sentence, sentence]


def test_the_group_can_be_asked_again(failed) -> None:
    expected = dense_eigenvalues()
    for found in failed:
        for name in ("after", "after interrupt"):
            assert np.allclose(found[name], expected, atol=1e-6)


def test_an_interrupted_first_rank_releases_the_others(failed) -> None:
    assert failed[0]["interrupt"][0] == "KeyboardInterrupt"
    assert failed[1]["interrupt"] == ["Interrupted", "Rank 0 could not answer. It was interrupted."]


def test_a_batch_that_does_not_fit_is_told_with_its_rank(failed) -> None:
    for found in failed:
        assert found["shapes"][1].startswith("Rank 1 could not answer. ")


def test_models_that_differ_are_refused(failed) -> None:
    for found in failed:
        assert found["sizes"] == [
            "UsageError",
            "Rank 1 has 8 trained parameters in 2 pieces, and rank 0 4 in 2: give all ranks the same model.",
        ]


def test_what_is_wrong_on_all_ranks_is_told_as_by_one(failed) -> None:
    for found in failed:
        kind, sentence = found["scalar"]
        assert kind == "UsageError" and sentence.startswith("The loss is no scalar")
        assert "SyncBatchNorm in train mode, which has no second derivative" in found["sync"][1]


def test_a_rank_that_asks_alone_is_told_so(failed) -> None:
    assert failed[0]["alone"][1].startswith("Rank 1 did not ask the same question within")


def test_a_rank_that_raises_amid_collectives_ends_the_others(tmp_path: Path) -> None:
    results, printed, seconds = run(tmp_path, "collectives")
    assert None not in results, printed
    sentence = "Rank 1 could not answer. ValueError: the disc is full"
    assert [found["raises"][1] for found in results] == [sentence, sentence]
    assert max(found["seconds"] for found in results) < 20


def test_a_rank_that_is_killed_ends_the_others_with_a_sentence(tmp_path: Path) -> None:
    results, printed, seconds = run(tmp_path, "killed")
    assert (
        "said: Rank 1 ended in the middle of the measurement" in printed
        or "was ended in the middle of a measurement, since rank 1 ended" in printed
    ), printed
    assert results[1] is None and seconds < 60
