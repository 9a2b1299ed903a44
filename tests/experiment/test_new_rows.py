"""Predictions keep the order and the labels of the input, and never become formulas."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from wellfit.data.prepare import fit_preparation
from wellfit.data.readings import Wishes, read_columns
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput, NoRoom
from wellfit.experiment.predictions import Watch, escaped_text, predicted_batches, write_batches


def _table(
    rows: int, *, shift: float = 0.0, labels: tuple[object, object] = ("=no", "yes"), colour: str = "red"
) -> pa.Table:
    rng = np.random.default_rng(1)
    size = rng.normal(size=rows) + shift
    return pa.table(
        {"size": size, "colour": [colour, "blue"] * (rows // 2), "y": [labels[int(v > shift)] for v in size]}
    )


def _share(arrays):
    """A model by hand: the second class is as likely as the first number is large."""
    p = 1 / (1 + np.exp(-arrays.numeric[:, 0].astype(float)))
    return np.column_stack([1 - p, p])


def _predicted(new, *, labels=("=no", "yes")):
    train = _table(200, labels=labels)
    preparation = fit_preparation(train, infer_schema(train, target="y"))
    watch = Watch(preparation, usual=preparation.transform(train))
    return predicted_batches(new, preparation=preparation, predict=_share, watch=watch), watch


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_predictions_stand_in_the_order_of_the_input(tmp_path, ending):
    new = _table(100)
    batches, _ = _predicted(new)
    assert write_batches(batches, tmp_path / f"out{ending}") == 100
    written = (pa.csv.read_csv if ending == ".csv" else pq.read_table)(tmp_path / f"out{ending}")
    assert written.column_names == ["prediction", "p_=no", "p_yes"]
    order = np.argsort(np.argsort(new["size"].to_numpy()))
    np.testing.assert_array_equal(np.argsort(np.argsort(written["p_yes"].to_numpy())), order)


def test_a_label_that_a_spreadsheet_would_run_is_disarmed_in_csv_alone(tmp_path):
    batches, _ = _predicted(_table(100))
    write_batches(batches, tmp_path / "out.csv")
    assert set(pa.csv.read_csv(tmp_path / "out.csv")["prediction"].to_pylist()) == {"'=no", "yes"}
    batches, _ = _predicted(_table(100))
    write_batches(batches, tmp_path / "out.parquet")
    assert set(pq.read_table(tmp_path / "out.parquet")["prediction"].to_pylist()) == {"=no", "yes"}


def test_codes_that_lost_their_leading_zeros_are_named():
    codes = np.array(["01067", "10115", "20095", "80331"])
    places = np.random.default_rng(0).integers(0, 4, 200)
    frame = pa.table({"size": np.arange(200) / 7, "zip": codes[places], "y": ["a", "b"] * 100})
    typed, readings = read_columns(frame, Wishes())
    preparation = fit_preparation(typed, infer_schema(typed, target="y", readings=readings))
    watch = Watch(preparation, usual=preparation.transform(typed))
    new = {"size": [1.5] * 50, "zip": ["1067", "99999", *["10115"] * 48]}
    list(predicted_batches(new, preparation=preparation, predict=_share, watch=watch))
    assert watch.warnings() == ["zip: 1 of 50 rows have a code that lost its leading zeros; train has it with them"]


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_every_formula_sign_is_disarmed(cell):
    assert escaped_text(cell) == f"'{cell}"
    assert escaped_text(f"a{cell}") == f"a{cell}"


@pytest.mark.parametrize(
    ("labels", "kind"),
    [((3, 7), pa.int64()), ((False, True), pa.bool_()), (("a", "b"), pa.string())],
    ids=["integer", "boolean", "string"],
)
def test_labels_come_back_as_they_were_stored(labels, kind):
    batches, _ = _predicted(_table(100), labels=labels)
    table = next(batches)
    assert table["prediction"].type == kind
    assert set(table["prediction"].to_pylist()) == set(labels)


def test_rows_like_train_pass_and_others_are_named():
    batches, watch = _predicted(_table(100))
    list(batches)
    assert watch.warnings() == []
    batches, watch = _predicted(_table(100, shift=50, colour="green"))
    list(batches)
    assert [warning.split(":")[0] for warning in watch.warnings()] == ["colour", "size"]


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(BadInput, match="Did you mean 'colours'"):
        list(_predicted(_table(100).rename_columns(["size", "colours", "y"]))[0])


def test_another_ending_leaves_nothing(tmp_path):
    batches, _ = _predicted(_table(100))
    with pytest.raises(BadInput, match="written to"):
        write_batches(batches, tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_files():
    """The system refuses files above 200 bytes, as a full disk refuses the next write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_that_the_system_refuses_leaves_nothing(tmp_path, ending):
    batches, _ = _predicted(_table(100))
    with pytest.raises(NoRoom, match="larger than the system allows"):
        write_batches(batches, tmp_path / f"out{ending}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spelling", ["new.csv", "folder/../new.csv", "link.csv"])
def test_predictions_do_not_replace_the_rows_that_they_are_made_from(tmp_path, spelling):
    (tmp_path / "folder").mkdir()
    new = tmp_path / "new.csv"
    new.write_text("size\n1\n")
    (tmp_path / "link.csv").symlink_to(new)
    batches, _ = _predicted(_table(10))
    with pytest.raises(BadInput, match="must not be the input file"):
        write_batches(batches, tmp_path / spelling, source=str(new))
    assert new.read_text() == "size\n1\n"


def test_the_users_own_part_file_is_left_alone(tmp_path):
    (tmp_path / "out.csv.part").write_text("mine")
    write_batches(_predicted(_table(10))[0], tmp_path / "out.csv")
    assert (tmp_path / "out.csv.part").read_text() == "mine"


def test_of_many_who_write_one_file_at_once_the_last_wins_whole(tmp_path):
    sizes = range(50, 90, 2)
    with ThreadPoolExecutor(len(sizes)) as pool:
        for _ in range(5):
            every = [_predicted(_table(size))[0] for size in sizes]
            written = list(pool.map(lambda batches: write_batches(batches, tmp_path / "out.csv"), every))
            assert written == list(sizes)
            assert pa.csv.read_csv(tmp_path / "out.csv").num_rows in sizes
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
