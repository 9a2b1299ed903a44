"""What an experiment was asked for: the part of a command that may not change when it is given again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from wellfit._typing import Json, Task
from wellfit.exceptions import BadInput, Refusal

_ABOUT_PICTURES = frozenset({"pictures", "picture_size", "skip_corrupt"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Target, goal and split of an experiment, as they were given; None means the default.

    `test_data` and `deployment_data` are paths here; frames are named by their SHA-256. `pictures` is the column with
    their paths, `picture_size` their side in pixels, and `skip_corrupt` leaves those out that cannot be read.
    """

    target: str
    goal: str | None = None
    task: Task | None = None
    drop: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    stratify_on: str | None = None
    group_on: str | None = None
    time_on: str | None = None
    split_on: str | None = None
    sizes: str | None = None
    test_data: str | None = None
    deployment_data: str | None = None
    seed: int = 0
    pictures: str | None = None
    picture_size: int | None = None
    skip_corrupt: bool = False

    def __post_init__(self) -> None:
        if self.task not in (None, "classification", "regression"):
            raise BadInput("a task is classification or regression", found=repr(self.task), remedy="Choose one of them")

    def to_json(self) -> Json:
        """Plain values; what is about pictures is there only where it was given."""
        body = {**asdict(self), "drop": list(self.drop), "types": dict(self.types)}
        return {name: value for name, value in body.items() if value or name not in _ABOUT_PICTURES}

    @classmethod
    def from_json(cls, body: Json) -> Settings:
        """Rebuild settings from `to_json`'s values."""
        return cls(**{**body, "drop": tuple(body["drop"])})

    def require_same(self, asked: Settings, *, folder: Path) -> None:
        """Refuse a command that would need another split.

        Raises:
            Refusal: naming the first option that differs.
        """
        for option in fields(self):
            kept, wanted = getattr(self, option.name), getattr(asked, option.name)
            if kept != wanted:
                raise _another_split(folder, option.name, kept=kept, wanted=wanted)

    def require_compatible(self, given: Mapping[str, Any], *, folder: Path) -> None:
        """Refuse options that differ, where only some were given (EXPERIMENT in place of DATA).

        Raises:
            Refusal: naming the first option that differs.
        """
        for name, wanted in given.items():
            if wanted not in (None, (), {}) and getattr(self, name) != wanted:
                raise _another_split(folder, name, kept=getattr(self, name), wanted=wanted)


def _another_split(folder: Path, option: str, *, kept: object, wanted: object) -> Refusal:
    return Refusal(
        "an experiment keeps its data, goal and split",
        found=f"{option}={wanted!r}, where {folder} was made with {option}={kept!r}",
        remedy="Give the same options, or choose another --out",
    )
