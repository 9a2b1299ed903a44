"""Kept compiled functions: read again where all is the same, and never by another version or another record."""

import importlib.util
import sys

import numba
import pytest

SOURCE = """
from typing import NamedTuple

from wellfit.base.compiled import compiled

class Pair(NamedTuple):
    {fields}

@compiled
def total(pair):
    return pair[0] + pair[1]

TOTAL = total(Pair(2.0, 3.0))
"""


def kept(folder):
    return {file.name for file in (folder / "__pycache__").iterdir() if file.suffix in {".nbi", ".nbc"}}


def run(folder, fields="a: float\n    b: float"):
    file = folder / "pairs_for_the_cache.py"
    file.write_text(SOURCE.format(fields=fields))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[file.stem]
    return module


def test_a_second_process_would_read_what_the_first_has_kept(tmp_path):
    first = run(tmp_path)
    before = kept(tmp_path)
    again = run(tmp_path)
    assert first.TOTAL == again.TOTAL == 5.0
    assert len(before) == 2
    assert kept(tmp_path) == before
    assert sum(again.total.stats.cache_hits.values()) == 1


@pytest.mark.parametrize("change", ["version of numba", "fields of a record"])
def test_another_version_or_record_leaves_kept_files_alone(tmp_path, monkeypatch, change):
    run(tmp_path)
    before = kept(tmp_path)
    for file in (tmp_path / "__pycache__").glob("*.nbc"):
        file.write_bytes(b"the code of another version")
    if change == "version of numba":
        monkeypatch.setattr(numba, "__version__", "0.0.1")
        module = run(tmp_path)
    else:
        module = run(tmp_path, fields="second: float\n    a: float")
    assert module.TOTAL == 5.0
    assert before < kept(tmp_path)
    assert len(kept(tmp_path)) == 4
