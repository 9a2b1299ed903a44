"""Checks of the columns of a table, before anything is trained: WF201, WF202 and WF204."""

from __future__ import annotations

from collections.abc import Sequence

from wellfit.diagnosis.facts import Columns
from wellfit.diagnosis.findings import Finding, finding

MANY_MISSING = 0.2
"""Share of a column's values in train."""
MANY_UNSEEN = 0.01
"""Share of dev rows whose category train has not."""
_NAMED_AT_MOST = 6


def empty_columns(*, columns: Columns) -> Finding:
    """WF201."""
    names = [name for name, why in columns.dropped.items() if why.startswith(("constant", "all missing"))]
    return _of_dropped("WF201", names, none="No column is constant or empty.")


def identifiers(*, columns: Columns) -> Finding:
    """WF202."""
    names = [name for name, why in columns.dropped.items() if why.startswith("id-like")]
    return _of_dropped("WF202", names, none="No column looks like an identifier.")


def _of_dropped(code: str, names: Sequence[str], *, none: str) -> Finding:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    shown = ", ".join(names[:_NAMED_AT_MOST]) + more
    return finding(code, fired=bool(names), evidence=f"Dropped: {shown}." if names else none)


def incomplete_columns(*, columns: Columns) -> Finding:
    """WF204."""
    missing, unseen = columns.missing, columns.unseen
    if missing is None and unseen is None:
        return finding("WF204", fired=None, evidence="Not checked: there is no table.")
    said = [f"{name} misses {100 * share:.0f} %" for name, share in (missing or {}).items() if share > MANY_MISSING]
    said += [f"{name}: {100 * share:.1f} % unseen" for name, share in (unseen or {}).items() if share > MANY_UNSEEN]
    few = f"No column misses more than {100 * MANY_MISSING:.0f} %, and dev brings hardly any new category."
    return finding("WF204", fired=bool(said), evidence=f"{'; '.join(said[:_NAMED_AT_MOST])}." if said else few)
