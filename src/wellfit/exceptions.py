"""The exceptions that wellfit raises.

    WellfitError                  every deliberate error; the command line turns it into exit code 2
    ├── BadInput (ValueError)     a value, file or table that cannot be used as it is
    ├── Refusal                   the request would break a promise (a second opening, other data, a locked folder)
    └── NoRoom (OSError)          the disk is full or cannot be written

Every message has three parts: the rule, what was found, and what to do about it.
"""

from __future__ import annotations

from functools import partial


class WellfitError(Exception):
    """Base class of every error that wellfit raises on purpose.

    Args:
        rule: the rule that must hold, in one sentence without a full stop.
        found: the value found instead, with its place (file, column, row) if there is one.
        remedy: advice on what to do now, in one sentence without a full stop.
    """

    def __init__(self, rule: str, *, found: str, remedy: str) -> None:
        super().__init__(rule, found, remedy)
        self.rule = rule
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        end = "" if self.remedy.endswith("?") else "."
        return f"{self.rule}; found {self.found}. {self.remedy}{end}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions pickle by positional arguments; workers send these across processes.
        return partial(type(self), self.rule, found=self.found, remedy=self.remedy), ()


class BadInput(WellfitError, ValueError):
    """A value, file or table that cannot be used as it is."""


class Refusal(WellfitError):
    """A valid request that would break a promise if it were carried out."""


class NoRoom(WellfitError, OSError):
    """A full disk, or a folder that cannot be written."""
