"""A split is saved whole, loaded as it was, and shows nothing of its test rows."""

from __future__ import annotations

import copy
import errno
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from wellfit.base.files import make_folder, room_at, write_whole
from wellfit.data.hashing import row_hashes
from wellfit.data.read import read_table
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput, NoRoom, Refusal
from wellfit.splits.partition import SplitOptions
from wellfit.splits.seal import SEALED_NAME, break_seal, move_source, sealed_bytes
from wellfit.splits.split import load_split, split_table


def test_saved_and_loaded_it_is_the_same(split, tmp_path):
    saved = split.save(tmp_path / "e.wellfit")
    loaded = load_split(tmp_path / "e.wellfit")
    for other in (saved, loaded):
        assert other.to_json() == split.to_json()
        assert other.train.equals(split.train)
        assert other.dev.equals(split.dev)
        assert {part: words.tolist() for part, words in other.hashes.items()} == {
            part: words.tolist() for part, words in split.hashes.items()
        }
        assert other.seal == split.seal
    assert json.loads(json.dumps(split.to_json())) == split.to_json()


def test_same_seed_same_split_and_seal(table, split):
    again = split_table(table, schema=split.schema)
    assert again.train.equals(split.train)
    assert again.seal.sha256 == split.seal.sha256
    assert split_table(table, schema=split.schema, options=SplitOptions(seed=1)).seal.sha256 != split.seal.sha256


def test_hashes_are_of_all_columns_and_rows_of_all_parts(table, split):
    assert "row" not in split.train.column_names
    everything = {tuple(words) for words in row_hashes(table.frame).tolist()}
    assert {tuple(words) for part in split.hashes.values() for words in part.tolist()} == everything


def test_duplicates_are_counted_by_features(table):
    twins = pa.concat_tables([table.frame, table.frame.set_column(0, "row", pa.array([f"t{i}" for i in range(300)]))])
    split = split_table(read_table(twins), schema=infer_schema(twins, target="y"))
    x = {"train": split.train.column("x").to_pylist(), "dev": split.dev.column("x").to_pylist()}
    assert split.duplicates["dev"] == sum(value in set(x["train"]) for value in x["dev"]) > 0
    clean = split_table(table, schema=infer_schema(table.frame, target="y"))
    assert set(clean.duplicates.values()) == {0}


def test_prepared_arrays(split):
    prepared = split.prepared()
    assert (prepared.train.rows, prepared.dev.rows, prepared.train_dev) == (180, 60, None)


def test_precision_and_policy_are_said(split):
    assert split.policy == "60/20/20, stratified on 'y': 180 train, 60 dev, 60 test"
    assert split.precision["test_margin"] == pytest.approx(0.1225, abs=1e-3)  # Wilson, 60 rows at .5
    assert "60 test rows" in str(split.precision["sentence"])


def shown(split):
    return f"{split!r} {split!s} {split.seal!r} {split.to_json()} {vars(split.seal).keys()}"


def test_test_rows_are_not_shown(table, split):
    hidden = set(table.frame.column("x").to_pylist())
    hidden -= {*split.train.column("x").to_pylist(), *split.dev.column("x").to_pylist()}
    assert len(hidden) == 60
    assert not any(repr(value) in shown(split) for value in hidden)


def test_test_rows_in_memory_are_not_copied_or_pickled(split, tmp_path):
    for attempt in (copy.deepcopy, pickle.dumps):
        with pytest.raises(Refusal, match="sealed in memory"):
            attempt(split.seal)
    assert pickle.loads(pickle.dumps(split.save(tmp_path / "e").seal)) == split.seal


def test_sealed_file_is_read_only_and_no_table_by_name(split, tmp_path):
    seal = split.save(tmp_path / "e").seal
    assert seal.path.stat().st_mode & 0o777 == 0o400
    assert seal.path.suffix == ".sealed"
    assert seal._payload == b""
    assert sorted(path.name for path in (tmp_path / "e").iterdir()) == [
        "dev.parquet",
        "hashes.parquet",
        "split.json",
        SEALED_NAME,
        "train.parquet",
    ]


def test_loading_does_not_need_the_sealed_file(split, tmp_path):
    path = split.save(tmp_path / "e").seal.path
    path.unlink()
    loaded = load_split(tmp_path / "e")
    assert loaded.rows["test"] == 60
    with pytest.raises(BadInput, match=r"no .*test\.sealed"):
        sealed_bytes(loaded.seal)


def test_a_changed_sealed_file_is_refused(split, tmp_path):
    seal = split.save(tmp_path / "e").seal
    assert break_seal(seal).num_rows == 60
    content = bytearray(seal.path.read_bytes())
    content[100] ^= 1
    seal.path.unlink()
    seal.path.write_bytes(content)
    with pytest.raises(Refusal, match="must be the ones that were sealed"):
        break_seal(seal)
    with pytest.raises(Refusal):
        break_seal(replace(split.seal, sha256="0" * 64))


def test_only_opening_breaks_seals():
    source = Path(__file__).parents[2] / "src" / "wellfit"
    users = {path.name for path in source.rglob("*.py") if "break_seal" in path.read_text()}
    assert users == {"seal.py", "opening.py"}


def test_a_folder_holds_one_split(split, tmp_path):
    split.save(tmp_path / "e")
    with pytest.raises(BadInput, match="one split"):
        split.save(tmp_path / "e")


BROKEN = {
    "nothing": (lambda folder: (folder / "split.json").unlink(), "Run wellfit split first"),
    "half-a-file": (lambda folder: (folder / "split.json").write_text('{"schema": 1'), "must be complete"),
    "newer": (lambda folder: (folder / "split.json").write_text('{"schema": 2}'), "Update wellfit"),
    "foreign": (lambda folder: (folder / "split.json").write_text('{"schema": 1, "split": []}'), "must be complete"),
    "no-train": (lambda folder: (folder / "train.parquet").unlink(), "must be complete"),
    "no-hashes": (lambda folder: (folder / "hashes.parquet").write_bytes(b""), "must be complete"),
}


@pytest.mark.parametrize(("damage", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_folders_get_one_message(damage, words, split, tmp_path):
    split.save(tmp_path / "e")
    damage(tmp_path / "e")
    with pytest.raises(BadInput) as caught:
        load_split(tmp_path / "e")
    assert words in str(caught.value)


def test_move_source(tmp_path):
    source = tmp_path / "d.csv"
    source.write_text("a\n1\n")
    (tmp_path / "e").mkdir()
    moved = tmp_path / "e" / "source.sealed"
    with pytest.raises(BadInput, match="no file"):
        move_source(tmp_path / "other.csv", moved)
    for _ in range(2):
        move_source(source, moved)
        assert not source.exists()
        assert (moved.read_text(), moved.stat().st_mode & 0o777) == ("a\n1\n", 0o400)


@pytest.mark.parametrize("killed_at", ["copied", "copying"])
def test_a_move_to_another_disk_is_finished_by_the_next_one(killed_at, tmp_path, monkeypatch):
    source, moved = tmp_path / "d.csv", tmp_path / "e" / "source.sealed"
    source.write_text("a\n1\n")
    monkeypatch.setattr(Path, "rename", _other_disk)
    with monkeypatch.context() as patch:
        patch.setattr(*{"copied": (Path, "unlink", _killed), "copying": (shutil, "copyfileobj", _killed)}[killed_at])
        with pytest.raises(KeyboardInterrupt):
            move_source(source, moved)
    assert source.exists()
    move_source(source, moved)
    assert not source.exists()
    assert (moved.read_text(), moved.stat().st_mode & 0o777) == ("a\n1\n", 0o400)
    source.write_text("a\n2\n")
    with pytest.raises(BadInput, match="different files"):
        move_source(source, moved)


def _other_disk(_path, _target):
    raise OSError(errno.EXDEV, "another disk")


def _killed(*_args, **_options):
    raise KeyboardInterrupt


def test_a_full_disk_is_no_room():
    with pytest.raises(NoRoom, match="the disk is full"), room_at(Path("/dev/full")):
        Path("/dev/full").write_text("x")


def test_a_read_only_place_is_no_room(monkeypatch, tmp_path):
    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(NoRoom, match="no permission"):
        make_folder(tmp_path / "e")


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def fail(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(NoRoom):
        write_whole(tmp_path / "f", fail)
    assert not list(tmp_path.iterdir())


def test_text_in_latin_letters_survives(tmp_path):
    frame = pa.table({"größe": np.arange(60) / 7, "Ziel": ["ä", "ö"] * 30})
    split = split_table(read_table(frame), schema=infer_schema(frame, target="Ziel"))
    split.save(tmp_path / "e")
    assert load_split(tmp_path / "e").schema.classes == ("ä", "ö")
