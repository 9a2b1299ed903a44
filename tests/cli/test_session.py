"""Where results, events, progress and warnings go."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
import warnings

import numpy as np
import pytest

from wellfit.cli.errors import guarded, printable
from wellfit.cli.progress import Progress, line_of
from wellfit.cli.session import Session, fitted, to_line
from wellfit.exceptions import BadInput

EVENT = {"event": "look", "step": 2, "loss": 0.123456789, "config": {"l2": 3}}


def test_json_has_no_word_for_nan_and_knows_numpy():
    body = {"a": float("nan"), "b": [np.float64("inf"), np.int64(3)], "c": np.float32(0.5), 4: None, "d": "é"}
    assert json.loads(to_line(body)) == {"a": None, "b": [None, 3], "c": 0.5, "4": None, "d": "é"}


@pytest.mark.parametrize("quiet", [False, True])
def test_the_result_alone_goes_to_stdout(capsys, quiet):
    session = Session(as_json=True, quiet=quiet)
    with session.watching() as notify:
        notify(EVENT)
    session.say("a hint")
    session.result({"x": 1}, text="text")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"x": 1}
    assert ("look: step 2, loss 0.1235" in err) is not quiet
    assert ("a hint" in err) is not quiet


def test_events_are_one_object_a_line_and_end_with_the_result(capsys):
    session = Session(events=True)
    with session.watching() as notify:
        notify(EVENT)
    session.result({"x": 1}, text="text")
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [EVENT, {"event": "result", "result": {"x": 1}}]
    assert err == ""


def test_with_json_too_the_events_go_to_stderr(capsys):
    session = Session(events=True, as_json=True)
    with session.watching() as notify:
        notify(EVENT)
    session.result({"x": 1}, text="text")
    out, err = capsys.readouterr()
    assert (json.loads(out), json.loads(err)) == ({"x": 1}, EVENT)


@pytest.mark.parametrize("event", ["point", "member"])
def test_frequent_events_print_no_lines(capsys, event):
    with Session().watching() as notify:
        notify({"event": event, "update": 3})
    assert capsys.readouterr().err == ""


LINES = {
    "split 60/20/20; the test set is sealed": {"event": "split", "rows": {"train": 6}, "policy": "60/20/20"},
    "step 2: regularizing with λ and dropout": {
        "event": "step",
        "step": 2,
        "board": "regularization",
        "kind": "regularize",
    },
    "step: step 2": {"event": "step", "step": 2},
    "news: share 0.3333, rows 4": {"event": "news", "share": 1 / 3, "rows": 4, "config": {}},
}


@pytest.mark.parametrize("line", LINES)
def test_events_are_written_for_people(line):
    assert line_of(LINES[line]) == line


def _told() -> Progress:
    state = Progress()
    state.take({"event": "run", "goal": "rmse", "seconds": 60.0})
    state.take({"event": "step", "step": 2, "kind": "search_both_boards", "board": "both"})
    for dev in (2845.0, 3025.0):
        state.take({"event": "member", "dev": dev})
    return state


def test_progress_is_in_words_with_time_budget_and_the_best_error_in_its_unit():
    """The root of 2845 is 53.34."""
    told = _told().line(100)
    assert told.startswith("step 2: searching all knobs together  ")
    assert "0 of 60 s" in told
    assert "best dev RMSE 53.34 of 2 networks" in told
    assert "░" in told


@pytest.mark.parametrize("width", [20, 40, 60, 80])
def test_the_live_line_fits_the_terminal(width):
    assert len(_told().line(width)) <= width
    assert _told().line(width)[:20] == "step 2: searching all knobs together"[:20]


def test_elsewhere_a_milestone_says_the_best_so_far():
    assert _told().milestone() == (
        "[0 of 60 s] step 2: searching all knobs together  (best dev RMSE 53.34 of 2 networks)"
    )


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(("quiet", "shown"), [(False, True), (True, False)])
def test_warnings_of_the_library_are_plain_lines(capsys, quiet, shown):
    with Session(quiet=quiet).logging():
        logging.getLogger("wellfit.data").warning("odd column")
        warnings.warn("from another package", stacklevel=1)
    err = capsys.readouterr().err
    assert ("WARNING: odd column\n" in err) is shown
    assert "another package" not in err


@pytest.mark.filterwarnings("default")
def test_the_log_file_takes_everything(tmp_path):
    path = tmp_path / "log.txt"
    session = Session(quiet=True, log_file=path)
    with session.logging(), session.watching() as notify:
        notify(EVENT)
        logging.getLogger("wellfit.data").debug("a detail")
        warnings.warn("from another package", stacklevel=1)
    text = path.read_text()
    assert "a detail" in text
    assert '"event": "look"' in text
    assert "from another package" in text
    assert logging.getLogger("wellfit").handlers == []


def test_a_log_file_that_cannot_be_written_is_refused(run):
    ran = run("doctor", "--log-file", "absent/folder/log.txt")
    assert ran.code == 2
    assert "log.txt" in ran.err


SHOW = """
from wellfit.cli.progress import progress
with progress() as notify:
    notify({"event": "step", "step": 1, "kind": "[red]augment", "board": "data"})
    notify({"event": "member", "dev": 0.25})
"""


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_on_a_terminal_progress_is_live_and_respects_no_color(extra, coloured):
    terminal, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | extra
    subprocess.run([sys.executable, "-c", SHOW], stderr=theirs, env=env, check=True)
    os.close(theirs)
    text = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert "step 1: [red]augment" in text
    assert ("\x1b[32m" in text) is coloured
    assert ("\x1b" in text) is (extra.get("TERM") != "dumb")


def test_names_with_control_characters_do_not_steer_the_terminal(capsys):
    name, colour = "a\x1b]0;title\x07\x9b2J\rb", "\x1b[31mred\x1b[0m"

    def fail() -> int:
        raise BadInput("a column must be known", found=name, remedy="Rename it")

    session = Session()
    session.say(name)
    session.result({}, text=f"{colour}\n\t{name}")
    with session.watching() as notify, session.logging():
        notify({"event": "read", "column": name})
        logging.getLogger("wellfit").warning(name)
    guarded(fail, debug=False)
    out, err = capsys.readouterr()
    assert out.startswith("red\n\ta")
    assert printable(colour) == colour
    told = out + err
    assert told.count("title") >= 5
    assert not set(told) & {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}


@pytest.mark.parametrize("width", [40, 60])
def test_sentences_fit_the_terminal_and_tables_and_commands_stay_whole(width):
    sentence = "  A sentence about well-known networks that is longer than the terminal is wide, by some words."
    kept = [
        "error   train   dev   and so on, in columns that nobody breaks anywhere",
        f"`wellfit show {'x' * 90} --full`",
    ]
    lines = fitted("\n".join([sentence, *kept]), width).splitlines()
    assert lines[-2:] == kept
    assert max(map(len, lines[:-2])) <= width
    assert " ".join(line.strip() for line in lines[:-2]) == sentence.strip()
    assert all(line.startswith("  ") for line in lines[:-2])
