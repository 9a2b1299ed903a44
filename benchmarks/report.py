"""What every benchmark shares: its arguments, its table, and whether its targets hold."""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from wellfit.stats.intervals import wilson


@dataclass(frozen=True)
class Row:
    """One measured figure against its target (None: it is only shown); `note` names the rival or the seeds."""

    case: str
    measured: float
    target: float | None = None
    at_most: bool = True
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    @property
    def verdict(self) -> str:
        """The target and whether it is met, in words."""
        if self.target is None:
            return f"{'':20}"
        return f"{'<=' if self.at_most else '>='} {self.target:<10.5g} {'holds' if self.holds else 'MISSED':6}"


def arguments(description: str | None) -> argparse.Namespace:
    """Read --quick, --json and --seeds."""
    return parser_of(description).parse_args()


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return what reads --quick, --json and --seeds, for benchmarks with more options."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer cases, within five minutes on two cores")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser


def share_row(name: str, hits: Sequence[bool], target: float | None, *, quick: bool, at_most: bool = False) -> Row:
    """The share of hits with its 95 % interval; a quick run misses the target only where the interval excludes it."""
    if not hits:
        return Row(name, math.nan, None, note="no case")
    share = wilson(float(sum(hits)), len(hits))
    note = f"{sum(hits)} of {len(hits)}, 95 % interval {share.low:.2f} to {share.high:.2f}"
    if target is not None and quick and share.low <= target <= share.high:
        return Row(name, share.value, None, note=f"{note}, which contains the target of {target:g}")
    return Row(name, share.value, target, at_most=at_most, note=note)


def finish(name: str, rows: list[Row], *, as_json: bool, table: str = "", cells: Sequence[Row] = ()) -> None:
    """Print the table or the JSON object, and exit with 1 when a target does not hold.

    Args:
        name: the benchmark's.
        rows: figures and totals.
        as_json: print the object alone.
        table: Markdown that shows `cells`, above `rows`.
        cells: figures that the object lists one by one.
    """
    found = [*cells, *rows]
    holds = all(row.holds for row in found)
    if as_json:
        body = {
            "benchmark": name,
            "machine": {
                "cores": len(os.sched_getaffinity(0)),
                "system": platform.platform(),
                "python": platform.python_version(),
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
            "rows": [{**asdict(row), "measured": _number(row.measured), "holds": row.holds} for row in found],
            "holds": holds,
        }
        print(json.dumps(body, indent=1))
    else:
        if table:
            print(table, end="\n\n")
        width = max((len(row.case) for row in rows), default=0)
        for row in rows:
            print(f"{row.case:{width}}  {row.measured:10.5g}  {row.verdict}  {row.note}")
    sys.exit(0 if holds else 1)


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    body = [list(heads), ["---"] * len(heads), *map(list, lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in body)


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value
