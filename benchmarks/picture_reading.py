"""Reading many small files: 20,000 PNG files of 64 x 64 pixels are read, measured, hashed and cached, then read again.

Seconds of the first and of the second start, and the memory that the first takes beside the mapped file: it must not
grow with the files, so it is measured for a quarter of them too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from report import Row, finish, parser_of

FILES, FEWER, SIDE = 20_000, 4, 64
MOST_GROWTH = 1.25
MIB = 2**20
READ = """
import json, sys, time
from pathlib import Path
from wellfit.data.pictures.decoding import decoded
from wellfit.data.pictures.listing import list_folder

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

began, events, most = time.perf_counter(), [], 0
def notify(event):
    global most
    events.append(event)
    most = max(most, own())
found = decoded(list_folder(Path(sys.argv[1]), target="label"), size=None, notify=notify)
print(json.dumps({"seconds": time.perf_counter() - began, "rows": len(found.pixels), "most": most,
                  "events": len(events), "cached": bool(events[-1].get("cached"))}))
"""


def main() -> None:
    asked = parser_of(__doc__).parse_args()
    files = FILES // 10 if asked.quick else FILES
    with tempfile.TemporaryDirectory() as place:
        os.environ["WELLFIT_HOME"] = str(Path(place, "home"))
        few, many = (write(Path(place, str(count)), count) for count in (files // FEWER, files))
        small, first, second = started(few), started(many), started(many)
    assert (first["rows"], first["cached"], second["cached"]) == (files, False, True)
    told = f"{first['events']} events of progress"
    rows = [
        Row(f"{files:,} files: seconds of the first start", first["seconds"], note=told),
        Row("second start: share of the first's seconds", second["seconds"] / first["seconds"], 0.25),
        Row(
            f"memory, against a quarter of the files ({first['most'] / MIB:.0f} MiB)",
            first["most"] / small["most"],
            MOST_GROWTH,
        ),
    ]
    finish("picture_reading", rows, as_json=asked.json)


def started(folder: Path) -> dict[str, float]:
    """Read a folder in a process of its own."""
    done = subprocess.run([sys.executable, "-c", READ, str(folder)], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def write(root: Path, count: int) -> Path:
    """Write soft coloured noise in two classes."""
    rng = np.random.default_rng(0)
    for row in range(count):
        path = root / ("light", "dark")[row % 2] / f"{row:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(path, compress_level=1)
    return root


if __name__ == "__main__":
    main()
