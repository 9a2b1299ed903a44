"""Every ending has its exit code and one message."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys

import click
import pytest
import torch

from wellfit.cli.errors import guarded
from wellfit.exceptions import BadInput, NoRoom, Refusal

PARTS = {"found": "this", "remedy": "Do that"}
ENDINGS = {
    "bad input": (BadInput("the rule", **PARTS), 2, "the rule; found this. Do that."),
    "refusal": (Refusal("the rule", **PARTS), 2, "the rule; found this. Do that."),
    "no room": (NoRoom("the rule", **PARTS), 2, "the rule; found this. Do that."),
    "disk full": (OSError(errno.ENOSPC, "No space left on device", "/big"), 2, "no space left on the disk; found /big"),
    "quota": (OSError(errno.EDQUOT, "Quota exceeded"), 2, "quota is used up"),
    "read-only": (OSError(errno.EROFS, "Read-only file system", "/x"), 2, "read-only"),
    "no permission": (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "/x"),
    "sqlite full": (sqlite3.OperationalError("database or disk is full"), 2, "no space left"),
    "memory": (MemoryError(), 2, "not enough memory"),
    "device memory": (
        torch.OutOfMemoryError("CUDA out of memory.\n 2 GiB wanted."),
        2,
        "out of memory. 2 GiB wanted. Pass",
    ),
    "usage": (click.UsageError("No such thing"), 2, "No such thing. See 'wellfit --help'."),
    "interrupt": (KeyboardInterrupt(), 130, "run the same command again"),
    "abort": (click.Abort(), 130, "Interrupted"),
    "bug": (ZeroDivisionError("division by zero"), 1, "this is a bug in wellfit (ZeroDivisionError: division by zero)"),
    "odd os error": (OSError(errno.EIO, "Input/output error"), 1, "this is a bug"),
}


def failing(error: BaseException):
    def action() -> int:
        raise error

    return action


@pytest.mark.parametrize("name", ENDINGS)
def test_an_ending_has_its_code_and_one_message(name, capsys):
    error, code, message = ENDINGS[name]
    assert guarded(failing(error), debug=False) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_an_interrupt_that_comes_out_as_another_error_is_still_an_interrupt(capsys):
    def action() -> int:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("an import that was cut short") from None
        return 0

    # A background job inherits an ignored SIGINT, for which Python installs no handler of its own.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert guarded(action, debug=False) == 130
        assert "Interrupted" in capsys.readouterr().err
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_debug_shows_the_traceback_and_the_message(capsys):
    assert guarded(failing(ZeroDivisionError("zero")), debug=True) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "this is a bug" in err


def test_a_command_that_succeeds_returns_its_own_code():
    assert guarded(lambda: 3, debug=False) == 3


SLIPS = {
    "wrong command": (["diagnos"], "'diagnos'", "Did you mean 'diagnose'?"),
    "unknown command": (["xyzzy"], "'xyzzy'", "diagnose, run, split"),
    "wrong option": (["size", "--margn", ".1"], "--margn", "Did you mean --margin?"),
    "not a number": (["size", "--margin", "small"], "'small'", "--margin"),
    "missing argument": (["run"], "DATA...|EXPERIMENT", "wellfit run --help"),
    "one value of two": (["diagnose", "--optimal-error", ".1"], "2 arguments", "wellfit diagnose --help"),
    "width that is no number": (["train", "x.wellfit", "--widths", "64,wide"], "'64,wide'", "widths"),
    "knob out of range": (["train", "x.wellfit", "--keep-prob", "1.5"], "keep_prob=1.5", "(0, 1]"),
    "extra argument": (["doctor", "now"], "now", "wellfit doctor --help"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_on_the_command_line_gets_one_helpful_message(name, run):
    arguments, *parts = SLIPS[name]
    run(*arguments).assert_refused(*parts)
    run(arguments[0], "--json", *arguments[1:]).assert_refused(*parts)


def test_an_output_that_is_closed_or_full():
    for redirection, code in ((">&-", 0), (">/dev/full", 2)):
        command = f"{sys.executable} -m wellfit size --rows 1000 {redirection}"
        process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert process.returncode == code
        assert ("no space left" in process.stderr) is (code == 2)


def test_standard_streams_may_all_be_closed(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{row % 7},{'ab'[row % 2]}\n" for row in range(200)))
    for arguments, code in ((f"split {table} --target y", 0), (f"unseal {table.with_suffix('.wellfit')}", 2)):
        command = f"{sys.executable} -m wellfit {arguments} <&- >&- 2>&-"
        assert subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False).returncode == code


def test_a_name_that_is_not_utf8_is_refused(run, tmp_path):
    name = os.fsdecode(b"t\xff.csv")
    (tmp_path / name).write_text("x,y\n1,a\n")
    run("split", tmp_path / name, "--target", "y").assert_refused("UTF-8", r"t\xff.csv")
    run("split", tmp_path, "--target", "y").assert_refused("UTF-8", r"t\xff.csv")
    run("split", tmp_path / "*.csv", "--target", "y").assert_refused("UTF-8", r"t\xff.csv")


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m wellfit --help | head -1; exit ${{PIPESTATUS[0]}}"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
