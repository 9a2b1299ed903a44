"""Fits made by a command in any language: knobs go in as text, predictions come back as a file."""

from __future__ import annotations

import difflib
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wellfit.data.read import read_table
from wellfit.diagnosis.table import parts_of_table
from wellfit.exceptions import BadInput
from wellfit.records.goals import Goal
from wellfit.studies.fit import Fit
from wellfit.studies.log import Asked, Failure, failure_from
from wellfit.studies.running import Knobs, Running

BESIDE = ("out", "knobs", "seed")
"""Names in a command besides those of the knobs."""
_FIELD = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Command:
    """Makes each fit by a command of the shell.

    Attributes:
        template: the command, with `{NAME}` for what it is told; `{{` and `}}` are braces.
        knobs: names of the knobs.
        goal: of the study.
        folder: where the command runs.
        workers: number of commands side by side.

    Raises:
        BadInput: for a name that is no knob, or a command without `{out}`.
    """

    template: str
    _: KW_ONLY
    knobs: Sequence[str]
    goal: Goal
    folder: Path
    workers: int = 1

    def __post_init__(self) -> None:
        named = [match[1] for match in _FIELD.finditer(self.template) if match[1]]
        known = (*self.knobs, *BESIDE)
        for name in named:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise BadInput(
                    "a command must name knobs of the study, {out}, {knobs} or {seed}",
                    found=f"{{{name}}}",
                    remedy=f"Did you mean {{{near[0]}}}?" if near else "Correct it, or write {{ and }} for braces",
                )
        if "out" not in named:
            raise BadInput(
                "a command must be told where to write its predictions",
                found=f"no {{out}} in {self.template!r}",
                remedy="Add {out}, as in: python train.py --lr {lr} --out {out}",
            )

    def begin(self, asked: Asked, *, knobs: Knobs, log: Path) -> Running:
        """Start the command of one fit."""
        out = (log.parent / f"{asked.number}.{os.getpid()}.csv").resolve()
        out.unlink(missing_ok=True)
        told = log.with_suffix(".json").resolve()
        told.write_text(json.dumps({**knobs, "seed": knobs.seed}, indent=1), encoding="utf-8")
        values = {name: f"{value:.10g}" if isinstance(value, float) else str(value) for name, value in knobs.items()}
        fields = {**values, "out": str(out), "knobs": str(told), "seed": str(knobs.seed)}
        environment = {f"WELLFIT_KNOB_{name.upper()}": value for name, value in values.items()}
        environment |= {"WELLFIT_OUT": str(out), "WELLFIT_KNOBS": str(told), "WELLFIT_SEED": str(knobs.seed)}
        with log.open("wb") as file:  # an earlier try may have been of another kind
            process = subprocess.Popen(  # noqa: S602 - the command is the user's own, for the shell
                self.filled(fields),
                shell=True,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return _Process(process, out=out, log=log, goal=self.goal, began=time.monotonic())

    def filled(self, fields: dict[str, str]) -> str:
        """Return the command with values in place of names, quoted for the shell where they have to be."""

        def value(match: re.Match[str]) -> str:
            return shlex.quote(fields[match[1]]) if match[1] else match[0][0]

        return _FIELD.sub(value, self.template)

    def close(self) -> None:
        """Nothing is left running: each fit in progress is ended by itself."""


@dataclass(frozen=True)
class _Process:
    process: subprocess.Popen[bytes]
    _: KW_ONLY
    out: Path
    log: Path
    goal: Goal
    began: float

    def poll(self) -> Fit | Failure | None:
        code = self.process.poll()
        if code is None:
            return None
        written = self.log.read_text("utf-8", errors="replace") if self.log.is_file() else ""
        if code != 0:
            killed = code < 0 or code == 128 + signal.SIGKILL
            return failure_from(f"{written}\nExit code {code}", reason="killed" if killed else "raised")
        if not self.out.is_file():
            return failure_from(f"{written}\nNo predictions were written to {self.out}")
        return _read(self.out, regression=self.goal.task == "regression")

    def kill(self) -> None:
        if self.process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
            self.process.wait(10)


def _read(path: Path, *, regression: bool) -> Fit | Failure:
    with path.open("rb") as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet:
        path = path.rename(path.with_suffix(".parquet"))
    table = read_table(path, name="predictions").frame
    for name in table.column_names:
        if name == "prediction" or name.startswith("p_"):
            values = np.asarray(table[name].to_pylist(), dtype=object)
            if any(value is None or value != value for value in values):  # noqa: PLR0124 - NaN
                return Failure(reason="diverged", lines=(f"{name} has missing or infinite values",))
    parts, classes = parts_of_table(table)
    path.unlink()
    known: dict[str, Any] = {"classes": None if regression else classes}
    return Fit(train=parts["train"], dev=parts["dev"], train_dev=parts.get("train_dev"), **known)
