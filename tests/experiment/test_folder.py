"""An experiment's folder is whole or absent, and opens only when it is ours and for the same data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import wellfit as wf
from wellfit.base.files import part_beside
from wellfit.base.plain_files import MOST_JSON
from wellfit.exceptions import BadInput, NoRoom, Refusal
from wellfit.experiment.folder import ABOUT, Settings, create_folder, default_path, is_experiment, open_folder
from wellfit.records.goals import goal_named

SETTINGS = Settings(target="y", drop=("id",), types={"zip": "category"}, sizes="60/20/20", seed=3)


def _fill(folder: Path) -> dict[str, int]:
    (folder / "split").mkdir()
    return {"seed": 3}


def _data(path: Path) -> dict[str, object]:
    path.write_text("x,y\n1,2\n")
    stat = path.stat()
    return {"path": str(path), "bytes": stat.st_size, "modified": stat.st_mtime, "sha256": None}


def test_a_created_folder_opens_with_what_it_was_made_from(tmp_path):
    data = _data(tmp_path / "t.csv")
    made = create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data=data, fill=_fill)
    opened = open_folder(tmp_path / "t.wellfit")
    assert opened == made
    assert (opened.settings, opened.goal, opened.data) == (SETTINGS, goal_named("error"), data)
    assert is_experiment(opened.path)
    opened.require_data(tmp_path / "t.csv")


def test_a_failing_fill_leaves_nothing(tmp_path):
    def fail(folder: Path) -> dict[str, int]:
        (folder / "half").write_text("written")
        raise BadInput("a rule", found="a value", remedy="Do something")

    with pytest.raises(BadInput):
        create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=fail)
    assert list(tmp_path.iterdir()) == []


def test_the_leavings_of_a_killed_creation_are_removed_and_those_of_a_living_one_are_not(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    mine, dead = (
        tmp_path / part_beside(tmp_path / "t.wellfit").name.replace(f".{os.getpid()}.", f".{process}.")
        for process in (os.getppid(), ended.pid)
    )
    for leavings in (mine, dead):
        leavings.mkdir()
        (leavings / "half").write_text("written")
    create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)
    assert sorted(path.name for path in tmp_path.iterdir()) == [mine.name, "t.wellfit"]
    assert not (tmp_path / "t.wellfit" / "half").exists()


def test_of_three_who_make_one_folder_at_once_one_wins_and_the_others_are_told(tmp_path):
    together = threading.Barrier(3)

    def make(seed: int) -> str:
        def fill(folder: Path) -> dict[str, int]:
            (folder / "seed").write_text(str(seed))
            together.wait()
            return {"seed": seed}

        try:
            create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=fill)
        except Refusal as refusal:
            return str(refusal)
        return str(seed)

    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(make, range(3)))
    (winner,) = (each for each in told if each.isdecimal())
    assert (tmp_path / "t.wellfit" / "seed").read_text() == winner
    assert sum("must be missing or empty" in each for each in told) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["t.wellfit"]


def _someone_elses(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("mine")


def _a_file(path: Path) -> None:
    path.write_text("mine")


@pytest.mark.parametrize("occupy", [_someone_elses, _a_file])
def test_something_else_in_the_place_is_refused_and_left_alone(tmp_path, occupy):
    occupy(tmp_path / "t.wellfit")
    with pytest.raises(Refusal, match="must be missing or empty"):
        create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.wellfit"]
    with pytest.raises(Refusal, match="EXPERIMENT must be a folder"):
        open_folder(tmp_path / "t.wellfit")


def test_a_missing_parent_that_cannot_be_made_is_no_room(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NoRoom, match="choose another place"):
        create_folder(tmp_path / "file" / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        pytest.param({"schema": 99, "goal": "error", "settings": {}, "data": {}}, "schema 99", id="newer schema"),
        pytest.param(
            {"schema": 1, "goal": "error", "settings": {"target": "y", "colour": 1, "drop": []}, "data": {}},
            "unreadable file",
            id="unknown setting",
        ),
        pytest.param([], "unreadable file", id="no object"),
    ],
)
def test_an_unreadable_folder_is_refused(tmp_path, about, message):
    create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)
    (tmp_path / "t.wellfit" / ABOUT).write_text(json.dumps(about))
    with pytest.raises(Refusal, match=message):
        open_folder(tmp_path / "t.wellfit")


def test_other_data_is_refused_and_missing_data_is_not(tmp_path):
    path = tmp_path / "t.csv"
    folder = create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data=_data(path), fill=_fill)
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    with pytest.raises(Refusal, match="was made from"):
        folder.require_data(tmp_path / "other.csv")
    os.utime(path, (1, 1))
    with pytest.raises(Refusal, match="size or modification time has changed"):
        folder.require_data(path)
    path.unlink()
    folder.require_data(path)


@pytest.mark.parametrize(
    ("option", "value"), [("target", "z"), ("seed", 4), ("sizes", None), ("group_on", "g"), ("types", {}), ("drop", ())]
)
def test_another_split_is_refused_by_the_name_of_the_option(tmp_path, option, value):
    asked = Settings(**{**SETTINGS.to_json(), "drop": SETTINGS.drop, option: value})
    with pytest.raises(Refusal, match=f"{option}="):
        SETTINGS.require_same(asked, folder=tmp_path)
    SETTINGS.require_same(Settings.from_json(SETTINGS.to_json()), folder=tmp_path)


def test_with_the_experiment_in_place_of_data_only_what_was_given_must_agree(tmp_path):
    SETTINGS.require_compatible({"target": "y", "sizes": None, "drop": ()}, folder=tmp_path)
    with pytest.raises(Refusal, match="seed="):
        SETTINGS.require_compatible({"seed": 4}, folder=tmp_path)


@pytest.mark.parametrize(("source", "name"), [("a/churn.csv", "churn.wellfit"), ([1], "experiment.wellfit")])
def test_the_default_place_is_named_after_the_data(source, name):
    assert default_path(source) == Path(name)


@pytest.mark.parametrize("kept", [None, "error"])
def test_the_default_goal_may_be_written_out_or_left_out(tmp_path, kept):
    settings = replace(SETTINGS, goal=kept)
    folder = create_folder(tmp_path / "t.wellfit", settings, goal=goal_named("error"), data={}, fill=_fill)
    for asked in (None, "error"):
        folder.resolved(settings).require_same(folder.resolved(replace(SETTINGS, goal=asked)), folder=tmp_path)
    with pytest.raises(Refusal, match="goal='auc'"):
        folder.resolved(settings).require_same(folder.resolved(replace(SETTINGS, goal="auc")), folder=tmp_path)


def test_a_run_without_a_target_on_no_experiment_names_the_place(tmp_path):
    for place in (tmp_path, tmp_path / "none.wellfit"):
        with pytest.raises(Refusal, match="EXPERIMENT must be a folder"):
            wf.run(place)


@pytest.mark.parametrize("place", ["journal.sqlite", "ledger.jsonl", "models", "models/x.safetensors"])
def test_a_folder_of_a_stranger_leads_nowhere_else(tmp_path, place):
    made = create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)
    (tmp_path / "elsewhere").mkdir()
    (made.path / place).parent.mkdir(exist_ok=True)
    (made.path / place).unlink(missing_ok=True)
    (made.path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match=f"a link at .*{place}"):
        open_folder(made.path)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_text("[" * 100_000), id="deep lists"),
        pytest.param(lambda path: path.write_text('{"a":' * 100_000), id="deep objects"),
        pytest.param(lambda path: os.truncate(path, MOST_JSON + 1), id="huge"),
    ],
)
def test_deep_or_huge_json_is_damaged(tmp_path, spoil):
    made = create_folder(tmp_path / "t.wellfit", SETTINGS, goal=goal_named("error"), data={}, fill=_fill)
    spoil(made.path / ABOUT)
    with pytest.raises(Refusal, match="unreadable file"):
        open_folder(made.path)
