"""`--config FILE.toml`."""

from __future__ import annotations

import click
import pytest

from wellfit.cli.settings import apply_settings, config_of, types_of
from wellfit.cli.sweep import sweep, train
from wellfit.exceptions import BadInput


@pytest.fixture
def write(tmp_path):
    def call(text: str | bytes):
        path = tmp_path / "asked.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return call


def test_the_file_gives_what_the_command_line_leaves_out(run, write):
    path = write("error = 0.05\nmargin = 0.02\n")
    assert run("size", "--config", path, "--json").json["assumptions"]["margin"] == 0.02


def test_the_command_line_wins_wherever_it_stands(run, write):
    path = write("error = 0.05\nmargin = 0.02\n")
    for order in (["--margin", ".01", "--config", path], ["--config", path, "--margin", ".01"]):
        assert run("size", "--json", *order).json["rows"] == 1838


def test_common_options_may_stand_in_the_file(run, write):
    assert run("size", "--config", write("json = true\nerror = 0.05\nmargin = 0.01\n")).json["rows"] == 1838


@pytest.mark.parametrize("names", [("train", "dev"), ("train_error", "dev_error")], ids=" ".join)
def test_the_names_are_those_of_the_python_arguments_or_of_the_options(run, write, names):
    lines = [f"{names[0]} = 0.15", f"{names[1]} = 0.16", "human_error = 0.13", "train_rows = 50000", "dev_rows = 10000"]
    body = run("diagnose", "--config", write("\n".join(lines)), "--json").json
    assert body["errors"]["train"]["value"] == 0.15


def test_a_pair_is_a_list(run, write):
    path = write("train = 0.1\ndev = 0.2\noptimal_error = [0.01, 0.02]\n")
    optimal = run("diagnose", "--config", path, "--json").json["errors"]["optimal"]
    assert (optimal["low"], optimal["high"]) == (0.01, 0.02)


REFUSED = {
    "a slip": ("marginn = 0.1\n", "'marginn'", "Did you mean margin"),
    "a stranger": ("xyzzy = 0.1\n", "'xyzzy'", "candidates"),
    "a table that makes no sense here": ("[network]\nwidths = [3]\n", "'network'", "size"),
    "the wrong type": ("margin = 'wide'\n", "'wide'", "--margin"),
    "a table for a value": ("[margin]\nx = 1\n", "margin", "a table"),
    "no TOML": ("margin = = 1\n", "line 1", "asked.toml"),
    "no text": (b"\xff\xfe\x00", "asked.toml", "TOML"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_cannot_be_used_is_refused(name, run, write):
    text, *parts = REFUSED[name]
    run("size", "--config", write(text)).assert_refused(*parts)


def test_a_missing_file_is_refused(run):
    run("size", "--config", "absent.toml").assert_refused("absent.toml", "Check the path")


def context(command: click.Command, path) -> click.Context:
    made = click.Context(command, info_name="wellfit")
    apply_settings(made, path, tables=command.tables)
    return made


BOARDS = "[network]\nwidths = [32, 16]\n[optimization]\nlr = 0.01\n[regularization]\nl2 = 5\nkeep_prob = [0.5, 1]\n"


def test_the_boards_make_a_configuration(write):
    config = config_of(context(train, write(BOARDS)), seed=3, options={"optimization": {"epochs": 7}})
    assert (config.network.widths, config.optimization.lr, config.optimization.epochs) == ((32, 16), 0.01, 7)
    assert (config.regularization.l2, config.regularization.keep_prob, config.seed) == (5.0, (0.5, 1.0), 3)


def test_an_option_wins_over_its_board(write):
    config = config_of(context(train, write(BOARDS)), seed=0, options={"regularization": {"l2": 1.0}})
    assert config.regularization.l2 == 1.0


BAD_BOARDS = {
    "a slip": ("[optimization]\nepoch = 3\n", "'epoch' in [optimization]", "epochs"),
    "the wrong type": ("[network]\nwidths = 'wide'\n", "network.widths", "tuple"),
    "out of range": ("[regularization]\nkeep_prob = 0\n", "keep_prob=0", "(0, 1]"),
}


@pytest.mark.parametrize("name", BAD_BOARDS)
def test_a_knob_that_cannot_be_used_is_refused(name, write):
    text, *parts = BAD_BOARDS[name]
    with pytest.raises(BadInput) as caught:
        config_of(context(train, write(text)), seed=0, options={})
    assert all(part in str(caught.value) for part in parts)


def test_types_map_columns_to_kinds(write):
    made = click.Context(sweep, info_name="wellfit")
    apply_settings(made, write('[types]\nzip = "category"\n'), tables=("types",))
    assert types_of(made) == {"zip": "category"}
    assert types_of(click.Context(sweep)) is None
    apply_settings(made, write("[types]\nzip = 3\n"), tables=("types",))
    with pytest.raises(BadInput, match=r"types\.zip"):
        types_of(made)
