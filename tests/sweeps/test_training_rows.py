"""The data board as a knob: both engines train on the rows it names, alone and beside others, also in a worker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from oracle.stack import fit
from wellfit.data.prepare import Copies, Prepared, fit_preparation
from wellfit.data.schema import infer_schema
from wellfit.data.training_rows import OF_TRAIN, rows_trained_on, trained_on
from wellfit.exceptions import BadInput
from wellfit.fused.engine import stacks_of
from wellfit.records.config import Config, DataBoard, Network, Optimization
from wellfit.records.goals import goal_named
from wellfit.sweeps.executor import InProcess
from wellfit.sweeps.worker_pool import read_data, write_data

GOAL = goal_named("log_loss")
TRAIN, DEV, MORE = 40, 30, 25
CONFIG = Config(network=Network(widths=(6,)), optimization=Optimization(epochs=3, batch_size=16))
BOARDS = {
    "more data": (DataBoard(more_data="new"), TRAIN + MORE),
    "reweight": (DataBoard(reweight=0.5), TRAIN),
    "drop rows": (DataBoard(drop_rows=True), TRAIN - 4),
    "all": (DataBoard(more_data="new", reweight=1.0, drop_rows=True), TRAIN + MORE - 4),
}


@pytest.fixture(scope="module")
def data() -> Prepared:
    rng = np.random.default_rng(0)
    rows = TRAIN + DEV + MORE
    x = rng.normal(size=(rows, 3))
    table = pa.table({**{f"x{i}": column for i, column in enumerate(x.T)}, "y": np.where(x[:, 0] > 0, "yes", "no")})
    schema = infer_schema(table, target="y")
    preparation = fit_preparation(table.slice(0, TRAIN), schema)
    train, dev, more = (
        preparation.transform(table.slice(start, length))
        for start, length in ((0, TRAIN), (TRAIN, DEV), (TRAIN + DEV, MORE))
    )
    importance = {OF_TRAIN: rng.uniform(0.1, 5, TRAIN), "new": rng.uniform(0.1, 5, MORE)}
    copies = Copies(np.arange(TRAIN) % 10 == 0, np.arange(DEV) % 5 == 0)
    return Prepared(preparation, train, None, dev, more={"new": more}, importance=importance, copies=copies)


def _with(board: DataBoard) -> Config:
    return replace(CONFIG, data=board)


@pytest.mark.parametrize(("board", "rows"), BOARDS.values(), ids=BOARDS)
def test_the_engines_agree_and_see_the_rows(data, board, rows):
    config = _with(board)
    oracle = fit(data, config, goal=GOAL)
    (fused,) = InProcess(data, goal=GOAL).train([config])
    assert len(oracle.train_losses) == len(fused.train_losses) == rows == rows_trained_on(data, board)
    np.testing.assert_allclose(fused.predictions["dev"], oracle.predictions["dev"], atol=1e-4)
    (off,) = InProcess(data, goal=GOAL).train([CONFIG])
    assert not np.allclose(off.predictions["dev"], fused.predictions["dev"], atol=1e-3)


def test_off_it_does_nothing_and_keeps_a_config_its_name(data):
    assert trained_on(data, DataBoard()) is data
    assert "data" not in CONFIG.to_json()
    assert Config.from_json(CONFIG.to_json()) == CONFIG


@pytest.mark.parametrize(("board", "_rows"), BOARDS.values(), ids=BOARDS)
def test_a_config_is_rebuilt_with_its_rows(board, _rows):
    config = _with(board)
    assert Config.from_json(config.to_json()) == config
    assert config.identity != CONFIG.identity


def test_configs_on_other_rows_are_other_stacks(data):
    both = [_with(board) for board, _ in BOARDS.values()]
    assert len(stacks_of([CONFIG, *both])) == 1 + len(BOARDS)
    assert [each.config for each in InProcess(data, goal=GOAL).train(both)] == both


def test_weights_have_mean_one_so_that_lambda_keeps_its_meaning(data):
    weighted = trained_on(data, DataBoard(more_data="new", reweight=1.0)).train
    assert weighted.total == pytest.approx(TRAIN + MORE)
    assert weighted.weights[0] / weighted.weights[TRAIN] == pytest.approx(
        data.importance[OF_TRAIN][0] / data.importance["new"][0]
    )


def test_workers_are_handed_all_of_it(data, tmp_path):
    write_data(tmp_path, data, goal=GOAL)
    read, _ = read_data(tmp_path)
    for board, _rows in BOARDS.values():
        mine, theirs = (vars(trained_on(each, board).train) for each in (data, read))
        for name, array in mine.items():
            assert (array is None) == (theirs[name] is None)
            assert array is None or np.array_equal(array, theirs[name])


@pytest.mark.parametrize("board", [DataBoard(more_data="other"), DataBoard(reweight=1.0), DataBoard(drop_rows=True)])
def test_rows_that_are_not_there_are_refused(data, board):
    bare = Prepared(data.preparation, data.train, None, data.dev)
    for train in (lambda: fit(bare, _with(board), goal=GOAL), lambda: InProcess(bare, goal=GOAL).train([_with(board)])):
        with pytest.raises(BadInput, match="must train on rows that are in the data"):
            train()
