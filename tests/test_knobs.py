"""The table of knobs agrees with what reads it, and is the only list of them."""

from __future__ import annotations

import ast
import inspect
from dataclasses import fields
from pathlib import Path

import click
import pytest

import wellfit as wf
from wellfit.cli.options import config_options
from wellfit.estimators.arguments import default_of
from wellfit.records.config import BOARDS, Config, DataBoard
from wellfit.records.knobs import KNOBS, NAMES, OFF, OTHER_REGULARIZERS, Around, knobs_of

SOURCE = Path(__file__).parents[1] / "src" / "wellfit"
EVERY_BOARD = {**BOARDS, "data": DataBoard}
ESTIMATORS = (wf.NetClassifier, wf.NetClassifierCV, wf.NetRegressor, wf.NetRegressorCV)
FEWEST = 4
"""From so many names on a literal is a list of knobs; smaller ones are the space of one search."""


@pytest.mark.parametrize("board", EVERY_BOARD)
def test_the_rows_of_a_board_are_its_fields_in_order(board):
    assert [knob.name for knob in knobs_of(board)] == [field.name for field in fields(EVERY_BOARD[board])]


def test_no_two_knobs_share_a_name():
    spelled = [knob.name for board in EVERY_BOARD for knob in knobs_of(board)]
    spelled += [name for name in NAMES if name not in KNOBS]
    assert sorted(spelled) == sorted(NAMES)


@pytest.mark.parametrize("name", KNOBS)
def test_a_default_is_a_value_of_its_knob_and_regularizes_nothing(name):
    knob = KNOBS[name]
    default = getattr(EVERY_BOARD[knob.board], name)
    knob.require(default)
    assert knob.off is None or default == knob.off


def test_a_config_shows_the_basic_knobs_and_those_that_are_on():
    body = Config().to_json()
    assert [name for board in BOARDS for name in body[board]] == [knob.name for knob in KNOBS.values() if knob.basic]
    turned = wf.Regularization(mixup=0.5)
    assert Config(regularization=turned).to_json()["regularization"] == {**body["regularization"], "mixup": 0.5}


@pytest.mark.parametrize("name", OFF)
def test_one_regularizer_that_is_on_is_seen(name):
    own = NAMES[name].own
    assert wf.Regularization().is_off
    assert not wf.Regularization(**{own: 0.5}).is_off


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KNOBS])
def test_a_second_name_is_converted_there_and_back(name):
    knob, around = NAMES[name], Around(rows=300.0, lr=0.01, beta1=0.9)
    assert knob.own in KNOBS
    assert knob.from_own(knob.to_own(0.25, around), around) == pytest.approx(0.25)
    if knob.off is not None:
        assert knob.to_own(knob.off, around) == OFF[knob.own]


@pytest.mark.parametrize("knob", [knob for knob in NAMES.values() if knob.published is not None or knob.trials])
def test_values_to_try_are_values_of_their_knob(knob):
    around = Around(rows=300.0, lr=0.01, beta1=0.9)
    for value in (*knob.trials, *([] if knob.published is None else [knob.published])):
        KNOBS[knob.own].require(knob.to_own(value, around) if knob.to_own else value)


def test_the_command_line_has_an_option_for_every_knob_in_the_order_of_the_table():
    command = click.command()(config_options(lambda: None))
    options = [option.name for option in command.params]
    assert options == [name for name, knob in KNOBS.items() if knob.board in BOARDS and knob.kind != "text"]
    assert all(option.help.partition("  [")[0].endswith(".") for option in command.params)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_estimator_takes_the_knobs_of_tables_with_the_defaults_of_a_config(estimator):
    parameters = inspect.signature(estimator).parameters
    without = {"pictures", "dev"} | (
        {"classes"} if issubclass(estimator, wf.NetRegressor | wf.NetRegressorCV) else set()
    )
    wanted = {knob.name for knob in KNOBS.values() if knob.board in BOARDS and knob.kind != "text"}
    assert {name for name in parameters if name in KNOBS} == {
        name for name in wanted if KNOBS[name].needs not in without
    }
    assert {name for name in parameters if name in NAMES and name not in KNOBS} == {"weight_decay", "dropout"}
    differing = {name for name in parameters if name in KNOBS and parameters[name].default != default_of(name)}
    assert differing == {"widths"}


def test_the_other_regularizers_are_those_beside_lambda_and_keep_prob():
    assert {*OTHER_REGULARIZERS, "l2", "keep_prob"} == {name for name in OFF if name in KNOBS}


def _lists(path: Path):
    """Names of knobs in each literal of the file, where it has several."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            items = node.elts
        elif isinstance(node, ast.Dict):
            items = [key for key in node.keys if key is not None]
            # Beside other keys they are a record.
            if not all(isinstance(key, ast.Constant) and key.value in NAMES for key in items):
                continue
        else:
            continue
        names = [item.value for item in items if isinstance(item, ast.Constant) and item.value in NAMES]
        if len(names) >= FEWEST:
            yield node.lineno, names


def test_no_other_file_lists_knobs():
    found = {
        f"{path.relative_to(SOURCE)}:{line}": names for path in SOURCE.rglob("*.py") for line, names in _lists(path)
    }
    assert found == {}, found


def test_a_list_of_knobs_would_be_seen(tmp_path):
    file = tmp_path / "some.py"
    file.write_text('KNOBS = ("l1", "mixup", "ema", "lr")\n')
    assert [names for _, names in _lists(file)] == [["l1", "mixup", "ema", "lr"]]


@pytest.mark.parametrize("name", OTHER_REGULARIZERS)
def test_a_regularizer_is_named_in_few_files(name):
    words = {path for path in SOURCE.rglob("*.py") if name in _words(path)}
    # Of `l1` and `augment` the words mean other things too.
    assert len(words) <= 12 or name in ("l1", "augment")


def _words(path: Path) -> set[str]:
    return set("".join(sign if sign.isalnum() or sign == "_" else " " for sign in path.read_text()).split())
