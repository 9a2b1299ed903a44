"""The only error boundary: every failure of a command becomes one message on stderr and an exit code."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import re
import signal
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from enum import IntEnum
from types import FrameType

import click

from wellfit.exceptions import WellfitError


class ExitCode(IntEnum):
    """The exit codes, for scripts."""

    DONE = 0
    BUG = 1
    BAD_INPUT = 2
    GAP = 3
    INTERRUPTED = 130


_REMEDIES = {
    errno.ENOSPC: ("there is no space left on the disk", "Free some space and run the same command again"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space and run the same command again"),
    errno.EROFS: ("the file system is read-only", "Pass a writable folder with --out"),
    errno.EACCES: ("access to the file or folder was denied", "Check its permissions, or choose another place"),
    errno.EPERM: ("access to the file or folder was denied", "Check its permissions, or choose another place"),
    errno.ENOENT: ("there is no such file or folder", "Check the path"),
    errno.ENOTDIR: ("part of the path is not a folder", "Check the path"),
    errno.EISDIR: ("the path is a folder, not a file", "Pass a file"),
    errno.EEXIST: ("the file or folder already exists", "Choose another name"),
    errno.ENAMETOOLONG: ("the path is too long", "Choose a shorter name"),
    errno.ENOMEM: ("there is not enough memory", "Use fewer rows, or a machine with more memory"),
}
_CONTROL = re.compile(r"(\x1b\[[0-9;]*m)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_INTERRUPTED = "Interrupted. Finished work is kept; to continue an experiment, run the same command again."
_MEMORY = "there is not enough memory for this. Use fewer rows or columns, or a machine with more memory."


def guarded(action: Callable[[], int], *, debug: bool) -> int:
    """Run `action` and return its exit code, or that of the error that it raised; `debug` prints the traceback."""
    interrupts: list[int] = []
    try:
        with _noting(interrupts):
            return action()
    except BrokenPipeError:
        # Whoever read our output has seen enough (`wellfit ... | head`). Python would complain at exit when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say(f"\n{_INTERRUPTED}")
        return ExitCode.INTERRUPTED
    except Exception as error:  # the only catch-all: no traceback reaches a user
        if debug:
            traceback.print_exc()
        if interrupts:  # Ctrl-C inside an extension's import appears as the error with which that import failed
            _say(f"\n{_INTERRUPTED}")
            return ExitCode.INTERRUPTED
        message = message_of(error)
        _say(f"wellfit: {message}" if message else _bug(error))
        try:
            sys.stdout.flush()
        except OSError:  # a full disk: Python would try again at exit, and end with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BAD_INPUT if message else ExitCode.BUG


@contextlib.contextmanager
def _noting(interrupts: list[int]) -> Iterator[None]:
    """Catch Ctrl-C, TERM and HUP (a closed terminal, Slurm), and end as on Ctrl-C, so that everything is cleaned up.

    A signal is left alone where the caller ignores or handles it (nohup, notebooks).
    """

    def note(number: int, _frame: FrameType | None) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.SIG_DFL
    main = threading.current_thread() is threading.main_thread()
    ours = {number: before for number, before in usual.items() if main and signal.getsignal(number) is before}
    for number in ours:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, before in ours.items():
            signal.signal(number, before)


def message_of(error: Exception) -> str | None:
    """Return the message for an error that is not a bug, or None for a bug."""
    if isinstance(error, WellfitError):
        return str(error)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, MemoryError) or _is_out_of_device_memory(error):
        return _memory(error)
    if isinstance(error, sqlite3.OperationalError) and "disk is full" in str(error):
        return _sentence(errno.ENOSPC, "the journal")
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        return _sentence(error.errno, str(error.filename or os.strerror(error.errno)))
    return None


def _memory(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return _MEMORY
    found = " ".join(str(error).split())[:200].rstrip(".")
    return f"the device ran out of memory; found {found}. Pass a smaller --memory, or use --device cpu."


def _is_out_of_device_memory(error: Exception) -> bool:
    # Code that raised it has imported torch already; other commands need not wait for that import to find out.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _sentence(number: int, place: str) -> str:
    rule, remedy = _REMEDIES[number]
    return f"{rule}; found {place}. {remedy}."


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "wellfit"
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        known = [name for parameter in context.command.params for name in parameter.opts] if context else []
        near = difflib.get_close_matches(error.option_name, known, n=1)
        message = error.message + (f" Did you mean {near[0]}?" if near else "")
    return f"{message}{'' if message.endswith(('?', '.')) else '.'} See '{path} --help'."


def _bug(error: Exception) -> str:
    detail = " ".join(str(error).split())[:200]
    return (
        f"wellfit: this is a bug in wellfit ({type(error).__name__}: {detail}); "
        "please report it with the traceback that --debug shows."
    )


def printable(text: str) -> str:
    """Return the text with control characters escaped, except newlines, tabs and colours.

    Names of columns, classes and files come from other people and could otherwise control the terminal.
    """
    return _CONTROL.sub(lambda found: found[1] or found[0].encode("unicode_escape").decode(), text)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is closed
        click.echo(printable(text), err=True)
