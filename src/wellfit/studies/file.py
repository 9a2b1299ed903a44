"""The file of a study, `NAME.toml`: its command, its knobs with their roles, and what `wf.Study` takes."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wellfit.base.typing import Json
from wellfit.exceptions import BadInput

_OF_STUDY = ("goal", "human_error", "human_rows", "optimal_error", "tolerance", "budget", "repeats")
_OF_RUN = ("workers", "timeout")
_NUMBERS = ("human_error", "human_rows", "tolerance", "repeats", "workers", "timeout")
_KEYS = ("command", "knobs", *_OF_STUDY, *_OF_RUN)


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """What the file of a study says."""

    path: Path
    command: str
    knobs: Json
    of_study: Json = field(default_factory=dict)
    """Arguments of `wf.Study`."""
    of_run: Json = field(default_factory=dict)
    """Arguments of `Study.run_command`."""

    @property
    def folder(self) -> Path:
        """The study's folder, beside the file."""
        return self.path.with_suffix(".wellfit")


def read_study(path: Path) -> StudyFile:
    """Read the file of a study.

    Raises:
        BadInput: no such file, no TOML, an unknown name (the nearest is named), or no command.
    """
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(
            "the file of a study must be TOML", found=f"{path}: {error}", remedy="See `wellfit study --help`"
        ) from error
    for name in body:
        if name not in _KEYS:
            near = difflib.get_close_matches(name, _KEYS, n=1)
            raise BadInput(
                f"the file of a study must have the names {', '.join(_KEYS)}",
                found=f"{name!r} in {path}",
                remedy=f"Did you mean {near[0]!r}?" if near else "Leave it out",
            )
    if not isinstance(body.get("command"), str):
        raise BadInput(
            "the file of a study needs a command",
            found=f"command={body.get('command')!r} in {path}",
            remedy='Write command = "python train.py --lr {lr} --out {out}"',
        )
    _require_numbers(body, path)
    optimal = body.get("optimal_error")
    return StudyFile(
        path=path,
        command=body["command"],
        knobs=body.get("knobs", {}),
        of_study={name: body[name] for name in _OF_STUDY if name in body}
        | ({"optimal_error": tuple(optimal)} if isinstance(optimal, list) else {}),
        of_run={name: body[name] for name in _OF_RUN if name in body},
    )


def _require_numbers(body: dict[str, Any], path: Path) -> None:
    for name in _NUMBERS:
        value = body.get(name, 0)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadInput(
                f"{name} must be a number", found=f"{name} = {value!r} in {path}", remedy="Write it without quotes"
            )
