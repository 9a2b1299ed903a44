"""Write a file completely or not at all, with a clear error when the disk does not accept it."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import platform
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from wellfit.exceptions import NoRoom

HOME_VARIABLE = "WELLFIT_HOME"

_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space"),
    errno.EFBIG: ("the file is larger than the system allows", "Raise the limit (ulimit -f)"),
    errno.EROFS: ("the disk is read-only", "Make it writable"),
    errno.EACCES: ("no permission to write", "Change its permissions"),
    errno.EPERM: ("no permission to write", "Change its permissions"),
    errno.ENOTDIR: ("a file where a folder should be", "Move the file away"),
    errno.EIO: ("the disk reports an error", "Check the disk"),
}


def home_folder() -> Path:
    """Return $WELLFIT_HOME, where openings of test sets and decoded pictures are kept, or by default ~/.wellfit."""
    return Path(os.environ.get(HOME_VARIABLE) or Path.home() / ".wellfit")


@contextmanager
def room_at(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write at `path` (full, read-only, not permitted) into `NoRoom`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REASONS or isinstance(error, NoRoom):
            raise
        reason, remedy = _REASONS[error.errno]
        raise NoRoom(
            "the output must go to a writable place with free space",
            found=f"{reason} at {path}",
            remedy=f"{remedy} or choose another place, then run the same command again: it continues",
        ) from error


@contextmanager
def whole(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` when the block succeeds, and leaves nothing behind when it fails.

    It is written next to `path` under its own name, created exclusively, so that several processes and threads may
    write the same `path`: the last one to finish wins. A missing folder is made. Raises NoRoom like `room_at`.
    """
    make_folder(path.parent)
    part = part_beside(path)
    with room_at(path):
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                part.chmod(mode)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_whole(path: Path, write: Callable[[BinaryIO], object], *, mode: int | None = None) -> None:
    """Write `path` by calling `write`, completely or not at all, as `whole` does."""
    with whole(path, mode=mode) as file:
        write(file)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes `path`, which must be unused, if the block succeeds; otherwise leave nothing.

    Raises NoRoom like `room_at`, and another OSError if something else has appeared at `path`.
    """
    sweep_parts(path)
    part = part_beside(path)
    with room_at(path):
        try:
            part.mkdir(parents=True)
            yield part
            part.rename(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def part_beside(path: Path) -> Path:
    """Return a name next to `path` that nobody else writes to, for a file or folder to be renamed to `path`."""
    return path.with_name(f"{_part_of(path)}{os.getpid()}.{secrets.token_hex(4)}.part")


def sweep_parts(path: Path) -> None:
    """Remove partly written copies of `path` left by processes of this machine that died (killed, or a power cut)."""
    _sweep(path.parent, start=_part_of(path), end=".part")


def scratch_folder() -> Path:
    """Make a new folder in the system's temporary one, and remove those left by processes of this machine that died."""
    place, start = Path(tempfile.gettempdir()), f"wellfit-{_machine()}."
    _sweep(place, start=start)
    return Path(tempfile.mkdtemp(prefix=f"{start}{os.getpid()}.", dir=place))


def _part_of(path: Path) -> str:
    return f".{path.name[:100]}.{_machine()}."


def _machine() -> str:
    # A folder may be shared with machines that have other processes of the same numbers.
    return platform.node().replace(".", "-")[:40]


def _sweep(folder: Path, *, start: str, end: str = "") -> None:
    for left in folder.glob(f"{glob.escape(start)}*{end}"):
        number = left.name.removeprefix(start).split(".")[0]
        if number.isdecimal() and not _is_alive(int(number)):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    left.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def make_folder(path: Path) -> None:
    """Create a folder and its parents; raise NoRoom like `room_at`."""
    with room_at(path):
        path.mkdir(parents=True, exist_ok=True)
