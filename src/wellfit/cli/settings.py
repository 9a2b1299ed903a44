"""`--config FILE.toml`: the options of a command, under the names of the Python arguments."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.exceptions import BadInput
from wellfit.records.config import BOARDS, Config

if TYPE_CHECKING:
    from wellfit.base.typing import Json

TABLES = "wellfit.tables"
"""The key under which a click context keeps the tables of the file ([types], [network] ...)."""


def _read(path: Path) -> Json:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            "--config must name a TOML file", found=f"{error.strerror or error}: {path}", remedy="Check the path"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            "--config must name a TOML file",
            found=f"{error} in {path}",
            remedy="Correct the file (toml.io describes the format)",
        ) from error


def apply_settings(ctx: click.Context, path: Path, *, tables: Iterable[str]) -> None:
    """Make the file's values the defaults of this command; options on the command line take precedence.

    Raises:
        BadInput: the command has no option for a key; the message names the nearest one.
    """
    options = _options(ctx.command)
    allowed = [*options, *tables]
    defaults: dict[str, Any] = {}
    found: dict[str, Json] = {}
    for key, value in _read(path).items():
        if key in tables and isinstance(value, Mapping):
            found[key] = dict(value)
        elif key in options:
            defaults[options[key].name or key] = _for_click(options[key], value)
        else:
            raise _unknown(key, allowed, place=f"{path} ({ctx.command_path})")
    ctx.default_map = defaults
    ctx.meta[TABLES] = found


def types_of(ctx: click.Context, said: str | None = None) -> dict[str, str] | None:
    """Return the kind of each column from [types] and `--types`, which takes precedence."""
    from pydantic import TypeAdapter, ValidationError

    table = _table(ctx, "types")
    try:
        return {**TypeAdapter(dict[str, str]).validate_python(table), **_said_types(said)} or None
    except ValidationError as error:
        raise _invalid("types", error.errors()[0]) from error


def _said_types(text: str | None) -> dict[str, str]:
    found = {}
    for part in text.split(",") if text else ():
        name, sign, kind = part.rpartition("=")
        if not (sign and name.strip()):
            raise BadInput(
                "--types must list columns with their types", found=repr(part), remedy="Write sold=date,zip=category"
            )
        found[name.strip()] = kind.strip()
    return found


def config_of(ctx: click.Context, *, seed: int, options: Mapping[str, Json]) -> Config:
    """Return the configuration from the file's tables and the options (board -> knobs); the options take precedence."""
    return Config(
        **{
            name: board(**_knobs(name, board, _table(ctx, name) | options.get(name, {})))
            for name, board in BOARDS.items()
        },
        seed=seed,
    )


def knobs_of_call(ctx: click.Context, *, options: Mapping[str, Json]) -> Json:
    """Return the knobs that the file's tables and the options name, checked; the options win."""
    tables = {name: _table(ctx, name) | options.get(name, {}) for name in BOARDS}
    return {knob: value for name, table in tables.items() for knob, value in _knobs(name, BOARDS[name], table).items()}


def fixed_knobs(ctx: click.Context) -> dict[str, Json] | None:
    """Return the knobs that the file fixes (board -> knob -> value), checked; None if it has no such table."""
    tables = {name: _table(ctx, name) for name in BOARDS if name in tables_of(ctx)}
    fixed = {name: _knobs(name, BOARDS[name], table) for name, table in tables.items() if table}
    return fixed if tables else None


def _knobs(name: str, board: type, table: Json) -> Json:
    from pydantic import TypeAdapter, ValidationError

    known = {field.name for field in fields(board)}
    for key in table:
        if key not in known:
            raise _unknown(key, known, place=f"[{name}]")
    try:
        checked: object = TypeAdapter(board).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance(cause := first.get("ctx", {}).get("error"), BadInput):
            raise cause from error
        raise _invalid(name, first) from error
    return {key: getattr(checked, key) for key in table}


def tables_of(ctx: click.Context) -> dict[str, Json]:
    """Return the tables that were in the file."""
    found: dict[str, Json] = ctx.meta.get(TABLES, {})
    return found


def _table(ctx: click.Context, name: str) -> Json:
    return tables_of(ctx).get(name, {})


def _options(command: click.Command) -> dict[str, click.Parameter]:
    names = {parameter.name: parameter for parameter in command.params if parameter.name not in ("config", "debug")}
    # `--train-error` sets the Python argument `train`: either name is understood.
    spelled = {
        text.lstrip("-").replace("-", "_"): parameter
        for parameter in names.values()
        for text in parameter.opts
        if text.startswith("--")
    }
    return {name: parameter for name, parameter in (spelled | names).items() if name}


def _for_click(parameter: click.Parameter, value: Any) -> Any:
    if isinstance(value, Mapping):
        raise BadInput(f"{parameter.name} must be one value", found="a table in the TOML file", remedy="Pass one value")
    if isinstance(value, list) and parameter.name == "missing":
        return ",".join(map(str, value))
    return [value] if parameter.multiple and isinstance(value, str) else value


def _unknown(key: str, known: Iterable[str], *, place: str) -> BadInput:
    near = difflib.get_close_matches(key, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"The known names are {', '.join(sorted(known))}"
    return BadInput(
        "a config file must contain only names that the command has",
        found=f"{key!r} in {place}",
        remedy=remedy.rstrip("?"),
    )


def _invalid(table: str, error: Mapping[str, Any]) -> BadInput:
    place = ".".join(str(part) for part in (table, *error["loc"]))
    return BadInput(
        f"[{table}] must have values of the right types", found=f"{place}: {error['msg']}", remedy="Correct it"
    )
