"""More training rows: what is taken, what is left out, and each way in which a file is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from wellfit.data.hashing import as_bytes, row_hashes
from wellfit.data.read import Table, read_table
from wellfit.data.schema import infer_schema
from wellfit.exceptions import BadInput
from wellfit.splits.more_rows import more_rows_for
from wellfit.splits.partition import SplitOptions
from wellfit.splits.split import Split, split_table

ROWS = 200


def _rows(rows: int = ROWS, *, seed: int = 0, coarse: bool = False) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (rows, 2)) if coarse else rng.normal(size=(rows, 2))
    columns = {"a": x[:, 0], "b": x[:, 1], "group": [f"{seed}/{place // 4}" for place in range(rows)]}
    if coarse:
        del columns["group"]
    return pa.table({**columns, "y": np.where(x[:, 0] + 0.1 * rng.normal(size=rows) > 0, "yes", "no")})


def _split(table: pa.Table, **options) -> Split:
    roles = {name: options[name] for name in ("group_on", "time_on", "split_on") if name in options}
    schema = infer_schema(table, target="y", **roles)
    return split_table(read_table(table), schema=schema, options=SplitOptions(**options))


def _part(whole: pa.Table, split: Split, part: str) -> pa.Table:
    """The rows of one part, sealed or not, found again in DATA by their hashes."""
    known = set(as_bytes(split.hashes[part]))
    return whole.filter(pa.array([key in known for key in as_bytes(row_hashes(whole))]))


def _more(table: pa.Table) -> Table:
    return read_table(table, name="--more-data")


def test_new_rows_are_taken_in_the_columns_of_the_split():
    split, new = _split(_rows()), _rows(50, seed=1)
    found = more_rows_for(split, _more(new.select(["y", "group", "b", "a"])))
    assert found.table.column_names == split.train.column_names
    assert (found.table.num_rows, found.read, found.copies, found.unlabelled) == (50, 50, 0, 0)
    assert found.name == f"50 rows {found.sha256[:12]}"


def test_rows_that_train_has_and_rows_without_a_target_are_left_out_and_counted():
    whole = _rows()
    split = _split(whole)
    unlabelled = _rows(7, seed=2).set_column(3, "y", pa.array([None] * 7, pa.string()))
    mixed = pa.concat_tables([_part(whole, split, "train").slice(0, 5), unlabelled, _rows(20, seed=3)])
    found = more_rows_for(split, _more(mixed))
    assert (found.table.num_rows, found.read, found.copies, found.unlabelled) == (20, 32, 5, 7)


def test_the_name_tells_the_rows_apart():
    split = _split(_rows())
    names = {more_rows_for(split, _more(_rows(20, seed=seed))).name for seed in (1, 2, 2)}
    assert len(names) == 2


def test_in_a_table_that_repeats_itself_equal_rows_are_no_sign_of_anything():
    split = _split(_rows(coarse=True))
    found = more_rows_for(split, _more(_rows(100, seed=5, coarse=True)))
    assert found.table.num_rows == 100


def test_whole_numbers_are_the_text_that_data_had():
    table = _rows().set_column(0, "a", pa.array([f"level {place % 3}" for place in range(ROWS)]))
    found = more_rows_for(_split(table), _more(_rows(30, seed=1).set_column(0, "a", pa.array([1] * 30))))
    assert set(found.table.column("a").to_pylist()) == {"1"}


def _with(name: str, values: list) -> pa.Table:
    table = _rows(20, seed=1)
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("more", "rule", "found"),
    [
        pytest.param(_rows(20, seed=1).drop_columns(["b"]), "columns as DATA", "1 missing ('b')", id="missing column"),
        pytest.param(
            _rows(20, seed=1).append_column("c", pa.array([1] * 20)), "columns as DATA", "'c'", id="other column"
        ),
        pytest.param(
            _rows(20, seed=1).rename_columns(["a", "B", "group", "y"]),
            "columns as DATA",
            "1 missing ('b') and 1 not in DATA ('B')",
            id="renamed column",
        ),
        pytest.param(
            _with("a", ["much"] * 20), "a number column must contain numbers", "'much'", id="text for a number"
        ),
        pytest.param(_with("a", [1.0] * 19 + [float("inf")]), "numbers must be finite", "row 20", id="infinite"),
        pytest.param(
            _with("y", ["yes"] * 17 + ["maybe"] * 3),
            "classes that occur in DATA",
            "3 rows with other classes",
            id="unknown class",
        ),
        pytest.param(_with("y", [None] * 20), "rows that are not in train", "20 without a target", id="no target"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(more, rule, found):
    with pytest.raises(BadInput) as refused:
        more_rows_for(_split(_rows()), _more(more))
    assert rule in refused.value.rule
    assert found in refused.value.found
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        pytest.param(("test",), "3 of the sealed test set among 23 rows", id="test"),
        pytest.param(("dev",), "3 of dev among 23 rows", id="dev"),
        pytest.param(("test", "dev"), "3 of the sealed test set and 3 of dev among 26 rows", id="both"),
    ],
)
def test_rows_that_are_measured_on_are_refused_with_their_number(parts, told):
    whole = _rows()
    split = _split(whole)
    taken = [_part(whole, split, part).slice(0, 3) for part in parts]
    with pytest.raises(BadInput, match="on which a network is measured") as refused:
        more_rows_for(split, _more(pa.concat_tables([*taken, _rows(20, seed=1)])))
    assert refused.value.found == told


def test_a_row_of_the_test_set_is_known_by_its_hash_alone(tmp_path):
    whole = _rows()
    split = _split(whole).save(tmp_path)
    taken = _part(whole, split, "test").slice(0, 1)
    (tmp_path / "test.sealed").unlink()
    with pytest.raises(BadInput, match="sealed test set"):
        more_rows_for(split, _more(taken))


def test_an_extra_column_of_data_does_not_hide_rows_of_deployment():
    deployment = _rows(80, seed=9).drop_columns(["group"])
    table = _rows().drop_columns(["group"])
    identified = table.append_column("note", pa.array(["same"] * ROWS))
    split = _split(identified, deployment_data=deployment)
    more = deployment.append_column("note", pa.array(["same"] * 80))
    with pytest.raises(BadInput) as refused:
        more_rows_for(split, _more(more))
    assert refused.value.found == "40 of the sealed test set and 40 of dev among 80 rows"


def test_only_copies_of_train_are_nothing_new():
    whole = _rows()
    split = _split(whole)
    with pytest.raises(BadInput, match="rows that are not in train"):
        more_rows_for(split, _more(_part(whole, split, "train")))


def test_groups_of_dev_are_refused():
    split = _split(_rows(), group_on="group")
    known = split.dev.column("group")[0].as_py()
    with pytest.raises(BadInput, match="must not contain groups") as refused:
        more_rows_for(split, _more(_with("group", [known] * 2 + [f"new {place}" for place in range(18)])))
    assert "2 rows of groups of dev" in refused.value.found


def test_rows_from_the_time_of_dev_are_refused():
    def dated(table: pa.Table, first: int) -> pa.Table:
        return table.append_column("day", pa.array(np.arange(first, first + table.num_rows)))

    split = _split(dated(_rows(), 0), time_on="day")
    assert more_rows_for(split, _more(dated(_rows(20, seed=1), -20))).table.num_rows == 20
    with pytest.raises(BadInput, match="older than dev"):
        more_rows_for(split, _more(dated(_rows(20, seed=1), ROWS - 20)))


def test_a_split_column_says_of_new_rows_what_it_says_of_train():
    whole = _rows().append_column("part", pa.array((["train"] * 3 + ["dev", "test"]) * (ROWS // 5)))
    split = _split(whole, split_on="part")
    taken = _part(whole, split, "test").slice(0, 4)
    relabelled = taken.set_column(4, "part", pa.array(["train"] * 4))
    with pytest.raises(BadInput, match="on which a network is measured") as refused:
        more_rows_for(split, _more(relabelled))
    assert "4 of the sealed test set" in refused.value.found
