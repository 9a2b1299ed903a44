"""bike_hour.csv split by time, where its inputs shift for certain, and at random, where they do not.

By time the mismatch findings must fire and name columns of the weather and season; at random they must be silent, on
every seed. Columns that merely count time are reported separately. `--seeds` draws other splits at random.
"""

from __future__ import annotations

import sys

import wellfit as wf
from report import Row, finish, parser_of
from tables import BIKE, DATA

SHIFTS = ("WF302", "WF303")
OF_THE_SEASON = frozenset({"season", "mnth", "temp", "atemp"})


def main() -> None:
    parser = parser_of(__doc__)
    parser.set_defaults(seeds=list(range(20)))
    asked = parser.parse_args()
    file = DATA / BIKE.file
    by_time = wf.diagnose(wf.split(file, target=BIKE.target, drop=BIKE.drop, time_on="dteday"))
    fired = {each.code: each.evidence for each in by_time.findings if each.status == "fired" and each.code in SHIFTS}
    for code, evidence in fired.items():
        print(f"{code}: {evidence}", file=sys.stderr)
    named = [name for name in sorted(OF_THE_SEASON) if f"{name}:" in fired.get("WF303", "")]
    alarms, seeds = 0, asked.seeds[:5] if asked.quick else asked.seeds
    for seed in seeds:
        at_random = wf.diagnose(wf.split(file, target=BIKE.target, drop=BIKE.drop, seed=seed))
        alarms += any(each.status == "fired" and each.code.startswith("WF3") for each in at_random.findings)
    finish(
        "bike_in_time",
        [
            Row("by time: findings of mismatch that fire", len(fired), len(SHIFTS), at_most=False),
            Row("by time: columns of the season that are named", len(named), 1, at_most=False, note=", ".join(named)),
            Row("at random: splits with an alarm", alarms, 0, note=f"of {len(seeds)}"),
        ],
        as_json=asked.json,
    )


if __name__ == "__main__":
    main()
