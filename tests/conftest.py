"""What every test shares: a registry of openings of its own, and one torch thread."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A busy neighbour is no failure: no test is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _own_registry(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WELLFIT_HOME", str(tmp_path_factory.mktemp("registry")))


@pytest.fixture(scope="session")
def cancer_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Breast cancer Wisconsin as a file: 569 rows, 30 numbers, a string target."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    table = bunch.frame.assign(target=bunch.frame["target"].map({0: "malignant", 1: "benign"}))
    path = tmp_path_factory.mktemp("cancer") / "cancer.csv"
    table.to_csv(path, index=False)
    return path
