"""The fields and types that an entry of each kind has: every reader of a journal may rely on them.

A journal may come from a stranger or a damaged disk, so an entry without these fields is refused when it is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from wellfit.base.typing import Json

_NUMBER = (int, float)
_OPTIONAL = (int, float, type(None))
_TRAINED = {"identity": str, "errors": dict, "losses": dict, "status": str, "config": dict}
_STEP: dict[str, type | tuple[type, ...]] = {
    **{"step": int, "board": str, "did": str, "because": str, "config_after": str, "kept": bool},
    **{"expected": _OPTIONAL, "got": _OPTIONAL, "seconds": _NUMBER, "idea": (str, type(None))},
    **{"errors_before": dict, "errors_after": dict, "gaps_before": dict, "gaps_after": dict},
}
FIELDS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "split": {"rows": dict, "policy": str, "precision": dict, "seal": dict, "duplicates": dict, "schema": dict}
    | {"source": dict, "unlabelled": int, "seed": int},
    "training": _TRAINED,
    "ensemble": _TRAINED,
    "snapshot": _TRAINED,
    "candidate": {"identity": str, "dev": _NUMBER},
    "temperature": {"identity": str, "losses": dict, "temperature": _NUMBER},
    "reference": {"name": str, "errors": dict, "seconds": _NUMBER, "note": str},
    "diagnosis": {"identity": str, "errors": dict, "gaps": dict},
    "step": _STEP,
    "eyeball": {"rows": list, "identity": str},
    "tags": {"tags": dict},
    "errors": {"identity": str, "tags": dict, "eyeball": dict},
    "finish": {"sentence": str, "reason": str},
    "opening": {"identity": str, "opening": int, "certified": bool, "error": dict, "receipt": str},
}


def require_fields(kind: str, body: Json) -> None:
    """Raise ValueError for a body that lacks a field its readers need, or has an invalid temperature or dev loss."""
    for name, types in FIELDS.get(kind, {}).items():
        if not isinstance(body.get(name), types):
            raise ValueError(f"a {kind} without {name}")
    if kind == "temperature" and not 0 < body["temperature"] < math.inf:
        raise ValueError(f"the temperature {body['temperature']}")
    if kind == "candidate" and math.isnan(body["dev"]):
        raise ValueError("a candidate without a dev loss")
