"""What every test shares: a registry of openings of its own, and networks trained without worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

# Where nothing says otherwise, a terminal is 100 columns wide here; pytest-xdist says 80.
os.environ.pop("COLUMNS", None)
# A busy neighbour is no failure: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def _registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders without end. Numbered by pytest, each would take a look at those of all tests before it."""
    folder = tmp_path_factory.mktemp("registries")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _own_registry(_registries: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = next(_registries)
    registry.mkdir()
    monkeypatch.setenv("WELLFIT_HOME", str(registry))


@pytest.fixture(scope="module", autouse=True)
def _trains_here(request: pytest.FixtureRequest) -> Iterator[None]:
    """Train in this process: a worker takes seconds to import torch.

    Workers themselves are tested in tests/sweeps/test_executor.py, where they return what this process does; in files
    marked `workers`; and by every command that a test starts as a process.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("workers") is None:
            from wellfit.sweeps.executor import InProcess

            patch.setattr("wellfit.sweeps.worker_pool.WorkerPool", InProcess)
        yield


@pytest.fixture(scope="session")
def cancer_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Breast cancer Wisconsin as a file: 569 rows, 30 numbers, a string target."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    table = bunch.frame.assign(target=bunch.frame["target"].map({0: "malignant", 1: "benign"}))
    path = tmp_path_factory.mktemp("cancer") / "cancer.csv"
    table.to_csv(path, index=False)
    return path
