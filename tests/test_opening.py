"""The seal is broken once, and nothing that one does to the files makes a second look a certified one."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.exceptions import NoRoom, Refusal
from wellfit.opening import open_test
from wellfit.records.goals import goal_named
from wellfit.splits.ledger import LEDGER_NAME
from wellfit.splits.partition import SplitOptions
from wellfit.splits.registry import Registry, default_registry
from wellfit.splits.split import split_table
from wellfit.stats.intervals import Estimate, wilson

ROWS = 400
DEV = Estimate(0.25, 0.2, 0.3, 80)
ERROR = goal_named("error")


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=ROWS)
    return read_table(pa.table({"x": x, "y": np.where(x + rng.normal(size=ROWS) > 0, 1, 0)}))


def split_of(table, **options):
    return split_table(table, schema=infer_schema(table.frame, target="y"), options=SplitOptions(**options))


def by_sign(rows):
    positive = rows.column("x").to_numpy() > 0
    return np.stack([~positive, positive], axis=1).astype(float)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    split_of(data()).save(tmp_path / "e")
    return tmp_path / "e"


def opened(split, registry, **options):
    return open_test(split, **{"predict": by_sign, "goal": ERROR, "dev": DEV, "registry": registry, **options})


def test_the_first_opening_is_certified_and_right(folder, registry):
    seen = []
    opening = opened(folder, registry, predict=lambda rows: seen.append(rows) or by_sign(rows))
    (rows,) = seen
    wrong = np.sum((rows.column("x").to_numpy() > 0) != rows.column("y").to_numpy())
    assert opening.error == wilson(float(wrong), 80)
    assert opening.dev_optimism == pytest.approx(wrong / 80 - 0.25)
    assert (opening.opening, opening.certified, opening.reason) == (1, True, "")
    assert list(opening.to_json()) == ["schema", "opening", "certified", "error", "dev_optimism", "receipt"]
    assert json.loads(json.dumps(opening.to_json()))["receipt"].startswith("wf-")


def test_references_are_measured_on_the_same_rows(folder, registry):
    opening = opened(folder, registry, references={"dummy": lambda rows: np.full((rows.num_rows, 2), [0.9, 0.1])})
    assert opening.references["dummy"].rows == 80


def test_regression(tmp_path, registry):
    rng = np.random.default_rng(0)
    split = split_of(read_table(pa.table({"x": rng.normal(size=ROWS), "y": rng.normal(size=ROWS)})))
    opening = opened(split, registry, predict=lambda rows: np.zeros(rows.num_rows), goal=goal_named("rmse"))
    assert opening.error.value == pytest.approx(1, abs=0.4)


def test_a_second_opening_is_refused(folder, registry):
    opened(folder, registry)
    with pytest.raises(Refusal, match="opened once before"):
        opened(folder, registry)


def test_a_further_opening_is_asked_for_and_pays_with_its_interval(folder, registry):
    first = opened(folder, registry)
    further = [opened(folder, registry, again=True) for _ in range(2)]
    assert [(o.opening, o.certified) for o in further] == [(2, False), (3, False)]
    widths = [o.error.high - o.error.low for o in (first, *further)]
    assert widths == sorted(widths)
    z = norm.ppf(1 - 0.05 / 3 / 2)  # alpha / k with k = 3, two-sided
    p, n = further[1].error.value, 80
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert widths[2] == pytest.approx(2 * half)
    assert "reason" in further[0].to_json()


def test_again_on_a_first_opening_costs_nothing(folder, registry):
    assert opened(folder, registry, again=True).certified


def test_receipts_differ(folder, registry):
    receipts = {opened(folder, registry, again=True).receipt for _ in range(3)}
    assert len(receipts) == 3


def test_a_split_in_memory_is_opened_once_too(registry):
    split = split_of(data())
    assert opened(split, registry).certified
    with pytest.raises(Refusal):
        opened(split, registry)


def keep_first_line(path):
    path.write_text(path.read_text().split("\n")[0] + "\n")


def edit(path):
    path.write_text(path.read_text().replace('"opening": 1', '"opening": 7', 1))


def rewrite(path):
    # A whole new chain, with every hash in order, but not the one that the registry saw.
    path.unlink()
    from wellfit.splits.ledger import Ledger

    root = json.loads((path.parent / "split.json").read_text())["split"]["seal"]["sha256"]
    Ledger(root, path).append("opening", {"opening": 1, "reason": "", "subject": ""}, at="2020-01-01")


TAMPERING = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_text(""),
    "shortened": keep_first_line,
    "edited": edit,
    "garbage": lambda path: path.write_bytes(b"\xff\xfe nothing\n"),
    "rewritten": rewrite,
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_a_ledger_that_was_tampered_with_never_certifies(tamper, folder, registry):
    opened(folder, registry)
    tamper(folder / LEDGER_NAME)
    with pytest.raises(Refusal):
        opened(folder, registry)
    for _ in range(2):
        opening = opened(folder, registry, again=True)
        assert not opening.certified
        assert opening.opening >= 2


@pytest.mark.parametrize("tamper", [edit, Path.unlink], ids=["edited", "deleted"])
def test_tampering_is_not_healed_by_a_further_opening(tamper, folder, registry):
    opened(folder, registry)
    opened(folder, registry, again=True)
    tamper(folder / LEDGER_NAME)
    assert not opened(folder, registry, again=True).certified
    with pytest.raises(Refusal):
        opened(folder, registry)


def test_a_copy_restored_after_the_opening_is_not_certified(folder, registry, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    opened(folder, registry)
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "copy", folder)
    with pytest.raises(Refusal, match="registry remembers"):
        opened(folder, registry)
    assert not opened(folder, registry, again=True).certified


def test_a_copy_made_before_the_opening_is_not_certified(folder, registry, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    opened(folder, registry)
    with pytest.raises(Refusal):
        opened(tmp_path / "copy", registry)


@pytest.mark.parametrize("seed", [0, 1], ids=["same-seed", "other-seed"])
def test_deleted_and_split_again_is_not_certified(seed, folder, registry, tmp_path):
    opened(folder, registry)
    shutil.rmtree(folder)
    shuffled = data().frame.take(np.random.default_rng(5).permutation(ROWS))
    split_of(read_table(shuffled.select(["y", "x"])), seed=seed).save(folder)
    opening = opened(folder, registry, again=True)
    assert not opening.certified
    assert "rows were opened before" in opening.reason


def test_rows_never_opened_are_certified(folder, registry):
    opened(folder, registry)
    other = split_of(data(seed=1))
    assert opened(other, registry).certified


def test_another_registry_does_not_help_an_experiment_that_was_opened(folder, registry, tmp_path):
    opened(folder, registry)
    with pytest.raises(Refusal):
        opened(folder, Registry(tmp_path / "other"))
    assert not opened(folder, Registry(tmp_path / "other"), again=True).certified


def test_a_changed_sealed_file_is_refused_and_costs_no_opening(folder, registry):
    sealed = folder / "test.sealed"
    content = sealed.read_bytes()
    sealed.unlink()
    sealed.write_bytes(content + b"x")
    with pytest.raises(Refusal, match="must be the ones that were sealed"):
        opened(folder, registry)
    assert not (folder / LEDGER_NAME).exists()
    sealed.write_bytes(content)
    assert opened(folder, registry).certified


def crash(_rows):
    raise KeyboardInterrupt


def test_the_opening_is_written_down_before_any_row_is_seen(folder, registry):
    def look(rows):
        (line,) = (folder / LEDGER_NAME).read_text().splitlines()
        assert json.loads(line)["kind"] == "opening"
        assert (registry.home / "openings.sqlite").exists()
        return by_sign(rows)

    opened(folder, registry, predict=look)
    kinds = [json.loads(line)["kind"] for line in (folder / LEDGER_NAME).read_text().splitlines()]
    assert kinds == ["opening", "result"]


def test_a_crash_shows_nothing_and_the_same_model_finishes_the_same_opening(folder, registry):
    with pytest.raises(KeyboardInterrupt):
        opened(folder, registry, predict=crash, subject="net")
    opening = opened(folder, registry, subject="net")
    assert (opening.opening, opening.certified) == (1, True)
    with pytest.raises(Refusal):
        opened(folder, registry, subject="net")


def test_a_crash_is_no_free_look_for_another_model(folder, registry):
    with pytest.raises(KeyboardInterrupt):
        opened(folder, registry, predict=crash, subject="net")
    with pytest.raises(Refusal):
        opened(folder, registry, subject="other net")
    assert not opened(folder, registry, subject="other net", again=True).certified


def test_a_line_that_was_being_written_never_counted(folder, registry):
    with (folder / LEDGER_NAME).open("w") as file:
        file.write('{"seq": 1, "kind": "ope')
    assert opened(folder, registry).certified
    assert len((folder / LEDGER_NAME).read_text().splitlines()) == 2


def slowly(rows):
    import time

    time.sleep(0.5)
    return by_sign(rows)


def try_to_open(folder, home, start, answers):
    start.wait()
    try:
        answers.put(opened(folder, Registry(home), predict=slowly).certified)
    except Refusal as error:
        answers.put(error.found)


@pytest.mark.parametrize("copies", [False, True], ids=["one-folder", "two-copies"])
def test_two_processes_at_once_certify_once(copies, folder, registry, tmp_path):
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    folders = [folder, shutil.copytree(folder, tmp_path / "copy") if copies else folder]
    processes = [context.Process(target=try_to_open, args=(place, registry.home, start, answers)) for place in folders]
    for process in processes:
        process.start()
    results = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert [result for result in results if result is True] == [True]
    assert len([result for result in results if isinstance(result, str)]) == 1


def test_a_registry_that_cannot_be_written_stops_before_the_opening(folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "openings.sqlite").mkdir()
    with pytest.raises(NoRoom):
        opened(folder, Registry(tmp_path / "home"))
    assert not (folder / LEDGER_NAME).exists()


def test_a_registry_that_is_no_registry_is_refused(folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "openings.sqlite").write_text("not a database at all, " * 50)
    with pytest.raises(Refusal, match="file is not a database"):
        opened(folder, Registry(tmp_path / "home"))
    assert not (folder / LEDGER_NAME).exists()


def test_the_registry_holds_no_rows(folder, registry):
    opened(folder, registry)
    content = (registry.home / "openings.sqlite").read_bytes()
    assert not any(value.tobytes() in content for value in data().frame.column("x").to_numpy())


def test_the_home_can_be_set(monkeypatch, tmp_path):
    monkeypatch.setenv("WELLFIT_HOME", str(tmp_path / "h"))
    assert default_registry().home == tmp_path / "h"
    monkeypatch.delenv("WELLFIT_HOME")
    assert default_registry().home.name == ".wellfit"


@pytest.mark.parametrize(
    "module", ["wellfit.data.read", "wellfit.data.prepare", "wellfit.splits.split", "wellfit.opening"]
)
def test_no_module_imports_torch(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
