"""Attacks on files and folders: each command ends by itself, with one message, and leaves nothing half-written.

Four subjects are spoiled: a CSV, a Parquet file, a model's folder and an experiment's folder. Their bytes are mutated
at random (300 times each), and every file of the folders is replaced by something that it must not be (a link, a pipe,
a folder, deep or huge JSON). A command that reads it must exit with 0, 2 or 130, say at most one message and no
traceback, in 60 s and 2 GB, touch nothing outside the folder, and leave no part of a file.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import wellfit as wf
from report import Row, finish, parser_of, share_row
from wellfit.cli import main as command

SECONDS, BYTES = 60, 2 * 2**30
MUTATIONS, QUICK_MUTATIONS = 300, 12
ROWS = 300
WORK = "work"
SECRET = b"a file of somebody else\n"
GOOD_EXITS = frozenset({0, 2, 130})


@dataclass(frozen=True)
class Attack:
    """A spoiled subject in a folder of its own, and the command that reads it."""

    kind: str
    name: str
    spoil: Callable[[Path], None]
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Ending:
    """How a command ended; `fault` is empty where all is as promised."""

    attack: Attack
    fault: str
    seconds: float
    message: str


# What is spoiled.


def lay_out(folder: Path) -> None:
    """Write the subjects: new.csv, new.parquet, model/ and e.wellfit/."""
    source = np.random.default_rng(0)
    numbers = source.normal(size=(ROWS, 3))
    label = np.where(numbers[:, 0] + 0.5 * source.normal(size=ROWS) > 0, "yes", "no")
    days = np.datetime64("2024-01-01") + source.integers(0, 400, ROWS)
    table = pa.table(
        {
            "a": numbers[:, 0],
            "b": numbers[:, 1].round(2),
            "c": source.choice(["red", "green", "blue"], ROWS),
            "day": pa.array(days.astype(str)),
            "y": label,
        }
    )
    pa.csv.write_csv(table, folder / "new.csv")
    pq.write_table(table, folder / "new.parquet")
    experiment = wf.run(table, target="y", budget="300updates", out=folder / "e.wellfit", ensemble=False)
    wf.export(experiment, folder / "model")


EXPERIMENT_COMMANDS = (
    ("report", "e.wellfit"),
    ("diagnose", "e.wellfit", "--json"),
    ("predict", "e.wellfit", "new.csv", "-o", "p.csv"),
    ("train", "e.wellfit", "--epochs", "1", "--lr", "0.003"),
    ("unseal", "e.wellfit", "--yes"),
    ("compare", "e.wellfit", "e.wellfit"),
    ("run", "e.wellfit", "--budget", "20updates", "--only", "none"),
)
READERS = {
    "csv": ("split", "new.csv", "--target", "y", "-o", "f.wellfit"),
    "parquet": ("split", "new.parquet", "--target", "y", "-o", "f.wellfit"),
    "model": ("predict", "model", "new.csv", "-o", "p.csv"),
}


def mutated(content: bytes, source: random.Random) -> bytes:
    """Return bytes with one to eight random changes."""
    spoiled = bytearray(content)
    for _ in range(source.choice((1, 1, 1, 2, 8))):
        start = source.randrange(len(spoiled) + 1)
        end = min(len(spoiled), start + source.choice((1, 1, 4, 40, 400)))
        match source.randrange(7):
            case 0:
                del spoiled[start:]
            case 1:
                del spoiled[start:end]
            case 2:
                spoiled[start:start] = spoiled[start:end] * source.choice((1, 3, 1000))
            case 3:
                spoiled[start:end] = bytes(source.randrange(256) for _ in range(end - start))
            case 4:
                spoiled[start:start] = source.choice((b"\0", b'"', b"\r", b"\xff\xfe", b"{", b"nan", b"1e999", b"-1"))
            case 5 if spoiled:
                at = source.randrange(len(spoiled))
                spoiled[at] ^= 1 << source.randrange(8)
            case _:
                digits = [at for at, byte in enumerate(spoiled) if chr(byte).isdigit()]
                if digits:
                    spoiled[source.choice(digits)] = ord(source.choice("0123456789-e."))
    return bytes(spoiled)


def mutations(subject: str, count: int, files: Sequence[str]) -> Iterator[Attack]:
    """Yield so many random changes of a subject's files, the same ones in every run."""
    for number in range(count):
        source = random.Random(f"{subject} {number}")
        file = source.choice(list(files))
        argv = READERS.get(subject) or EXPERIMENT_COMMANDS[number % len(EXPERIMENT_COMMANDS)]

        def spoil(folder: Path, file: str = file, source: random.Random = source) -> None:
            path = folder / file
            path.chmod(0o600)
            path.write_bytes(mutated(path.read_bytes(), source))

        yield Attack(f"mutated {subject}", f"{number} {file}", spoil, argv)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


REPLACEMENTS: dict[str, Callable[[Path], object]] = {
    "is a pipe": os.mkfifo,
    "is a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "is a link to somebody's file": lambda path: path.symlink_to(_secret(path)),
    "is a link to itself": lambda path: path.symlink_to(path.name),
    "is a folder": Path.mkdir,
    "is empty": Path.touch,
    "is missing": lambda _path: None,
    "is deep JSON": lambda path: path.write_text("[" * 100_000),
    "is JSON of another shape": lambda path: path.write_text('{"schema": 1, "settings": [], "split": 3}'),
    "is huge": lambda path: os.truncate(_touched(path), 3 * 2**30),
    "is not to be read": lambda path: (path.write_text("{}"), path.chmod(0)),
}


def _secret(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == WORK).parent / "secret"


def _touched(path: Path) -> Path:
    path.touch()
    return path


def replacements(files: Sequence[str]) -> Iterator[Attack]:
    """Yield every file of the folders as each thing that it must not be."""
    for kind, make in REPLACEMENTS.items():
        for number, file in enumerate(files):
            subject = file.split("/")[0]
            several = (READERS["model"],) if subject == "model" else EXPERIMENT_COMMANDS
            argv = several[number % len(several)]

            def spoil(folder: Path, file: str = file, make: Callable[[Path], object] = make) -> None:
                _replace(folder / file, make)

            yield Attack(f"a file {kind}", file, spoil, argv)


TABLES: dict[str, bytes] = {
    "a field of 200,000 characters": b"a,y\n" + b"x" * 200_000 + b",0\n" + b"1,1\n2,0\n" * 40,
    "line ends of old Macs": b"a,y\r" + b"1,1\r2,0\r" * 40,
    "an open quote": b'a,y\n"1,1\n' + b"1,1\n2,0\n" * 40,
    "NUL bytes": b"a,y\n1\0,1\n" + b"1,1\n2,0\n" * 40,
    "50,000 columns": b",".join(b"c%d" % n for n in range(50_000)) + b",y\n" + b"1," * 50_000 + b"1\n",
    "no line end": b"a,y",
    "UTF-16": "a,y\n1,1\n2,0\n".encode("utf-16") * 20,
    "lone surrogates": b"a,y\n\xed\xa0\x80,1\n" + b"1,1\n2,0\n" * 40,
    "ragged rows": b"a,y\n1,1,1,1\n2\n" + b"1,1\n2,0\n" * 40,
    "a formula": b"a,y\n=cmd|' /C calc'!A0,1\n" + b"1,1\n2,0\n" * 40,
    "numbers that overflow": b"a,y\n1e999,1\n-1e999,0\n" + b"1,1\n2,0\n" * 40,
    "a bomb of zeros": b"PK\x03\x04" + bytes(10_000),
    "gzip of nothing": b"\x1f\x8b\x08\x00" + bytes(20),
    "Parquet magic alone": b"PAR1PAR1",
    "an escape in a name": b"a\x1b]0;x\x07,y\n" + b"1,1\n2,0\n" * 40,
    "one name twice": b"a,a,y\n" + b"1,2,1\n2,1,0\n" * 40,
    "only targets": b"y\n" + b"1\n0\n" * 40,
    "one class": b"a,y\n" + b"1,1\n" * 40,
}


def tables() -> Iterator[Attack]:
    """Yield tables that were found to hurt readers."""
    for name, content in TABLES.items():
        yield Attack(
            "a table", name, lambda folder, content=content: (folder / "new.csv").write_bytes(content), READERS["csv"]
        )


AT_ONCE, ROUNDS, QUICK_ROUNDS = 20, 50, 3


def at_once(subjects: Path, *, rounds: int) -> Iterator[Ending]:
    """Let twenty commands predict other rows into one file at the same time; one of the results must stand there."""
    header, *rows = (subjects / "new.csv").read_text().splitlines()
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        folder = Path(name)
        shutil.copytree(subjects / "model", folder / "model")
        alone = set()
        for number in range(AT_ONCE):
            (folder / f"{number}.csv").write_text("\n".join([header, *rows[number : number + 100]]) + "\n")
            _run(_predict(number, f"{number}.out.csv"), folder, home=folder / "home", told=folder / "told")
            alone.add((folder / f"{number}.out.csv").read_bytes())
        for number in range(rounds):
            began = time.monotonic()
            told = [folder / f"told-{each}" for each in range(AT_ONCE)]
            processes = [
                _start(_predict(each, "p.csv"), folder, home=folder / "home", told=told[each])
                for each in range(AT_ONCE)
            ]
            codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
            fault = "" if set(codes) == {0} else f"exit codes {codes}"
            fault = fault or ("" if (folder / "p.csv").read_bytes() in alone else "the file is none of the results")
            fault = fault or ("a part is left" if list(folder.rglob("*.part")) else "")
            attack = Attack("twenty predictions at once", str(number), lambda _folder: None, _predict(0, "p.csv"))
            yield Ending(attack, fault, time.monotonic() - began, told[0].read_text().strip())


def _predict(number: int, out: str) -> tuple[str, ...]:
    return ("predict", "model", f"{number}.csv", "-o", out)


# One attack, in a process of its own.


def tried(attack: Attack, subjects: Path) -> Ending:
    """Carry out one attack on a copy of the subjects."""
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        folder = Path(name)
        work = folder / WORK
        shutil.copytree(subjects, work, symlinks=True)
        (folder / "secret").write_bytes(SECRET)
        attack.spoil(work)
        began = time.monotonic()
        fault, told = _run(attack.argv, work, home=folder / "home", told=folder / "told")
        seconds = time.monotonic() - began
        left = [path.name for path in work.rglob("*.part")]
        fault = fault or _fault_of(told)
        fault = fault or ("somebody's file was changed" if (folder / "secret").read_bytes() != SECRET else "")
        fault = fault or (f"left {left}" if left else "")
        for path in work.rglob("*"):
            with contextlib.suppress(OSError):
                path.chmod(0o700 if path.is_dir() else 0o600)
    return Ending(attack, fault, seconds, told.strip().splitlines()[-1][:200] if told.strip() else "")


def _run(argv: Sequence[str], work: Path, *, home: Path, told: Path) -> tuple[str, str]:
    """Run a command in a fork of this process, and return what is wrong with its end and what it said."""
    process = _start(argv, work, home=home, told=told)
    until = time.monotonic() + SECONDS
    while True:
        ended, status, used = os.wait4(process, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > until:
            os.kill(process, signal.SIGKILL)
            os.wait4(process, 0)
            return f"did not end in {SECONDS} s", ""
        time.sleep(0.01)
    said = told.read_text(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code not in GOOD_EXITS:
        return f"exit code {code}", said
    if used.ru_maxrss * 1024 > BYTES:
        return f"took {used.ru_maxrss / 2**20:.1f} GiB", said
    return "", said


def _start(argv: Sequence[str], work: Path, *, home: Path, told: Path) -> int:
    """Run a command in a fork of this process, and return the fork's number."""
    process = os.fork()
    if process:
        return process
    code = 99
    try:
        os.chdir(work)
        os.environ |= {"WELLFIT_HOME": str(home)}
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        errors = os.open(told, os.O_CREAT | os.O_WRONLY)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.dup2(errors, 2)
        code = command(list(argv))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _fault_of(told: str) -> str:
    if "Traceback" in told:
        return "a traceback"
    if "this is a bug" in told:
        return "a bug"
    return "several messages" if sum(line.startswith("wellfit: ") for line in told.splitlines()) > 1 else ""


def attacks_on(subjects: Path, *, count: int) -> Iterator[Attack]:
    """Yield all attacks, with so many mutations of each subject."""

    def files_of(subject: str) -> list[str]:
        return sorted(str(path.relative_to(subjects)) for path in (subjects / subject).rglob("*") if path.is_file())

    model, experiment = files_of("model"), files_of("e.wellfit")
    yield from tables()
    yield from replacements([*model, *experiment])
    yield from mutations("csv", count, ["new.csv"])
    yield from mutations("parquet", count, ["new.parquet"])
    yield from mutations("model", count, model)
    yield from mutations("experiment", count, experiment)


def _note(end: Ending, found: dict[str, list[Ending]]) -> None:
    found.setdefault(end.attack.kind, []).append(end)
    if end.fault:
        words = (end.attack.kind, end.attack.name, " ".join(end.attack.argv), end.fault, end.message)
        print(": ".join(words), file=sys.stderr)


def main() -> None:
    """Carry out all attacks, and print the share of each kind that ended as promised."""
    parser = parser_of(__doc__)
    parser.add_argument("--only", default="", help="attacks whose kind or name contains this")
    asked = parser.parse_args()
    found: dict[str, list[Ending]] = {}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as home:
        os.environ["WELLFIT_HOME"] = home
        lay_out(Path(name))
        for attack in attacks_on(Path(name), count=QUICK_MUTATIONS if asked.quick else MUTATIONS):
            if asked.only not in f"{attack.kind}: {attack.name}":
                continue
            _note(tried(attack, Path(name)), found)
        if asked.only in "twenty predictions at once":
            for end in at_once(Path(name), rounds=QUICK_ROUNDS if asked.quick else ROUNDS):
                _note(end, found)
    rows = [share_row(kind, [not end.fault for end in ends], 1.0, quick=False) for kind, ends in found.items()]
    slowest = max((end for ends in found.values() for end in ends), key=lambda end: end.seconds)
    note = f"{slowest.attack.kind}: {slowest.attack.name}"
    finish("attacks", [*rows, Row("slowest, seconds", slowest.seconds, SECONDS, note=note)], as_json=asked.json)


if __name__ == "__main__":
    main()
