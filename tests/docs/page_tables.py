"""The files that pages of the docs speak of: made up, small, and the same every time."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

ROWS = 600
BEGIN = date(2024, 1, 1)
NET = """
from torch import nn

def make_net(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, 16), nn.ReLU(), nn.Linear(16, outputs))
"""


def write_all(folder: Path) -> None:
    """Write every file into a folder."""
    churn = churn_table(ROWS, seed=0)
    pyarrow.csv.write_csv(churn, folder / "churn.csv")
    pyarrow.csv.write_csv(churn_table(200, seed=1, phones=0.8), folder / "phones.csv")
    pyarrow.csv.write_csv(churn_table(150, seed=5), folder / "later.csv")
    pyarrow.csv.write_csv(churn_table(40, seed=2).drop_columns(["churned"]), folder / "new.csv")
    pyarrow.csv.write_csv(churn_table(40, seed=2).drop_columns(["churned"]), folder / "new_customers.csv")
    pyarrow.parquet.write_table(prices_table(300, seed=3), folder / "prices.parquet")
    predictions = predictions_table(seed=4)
    pyarrow.parquet.write_table(predictions.drop_columns(["anna", "ben", "carl"]), folder / "predictions.parquet")
    pyarrow.csv.write_csv(predictions, folder / "predictions.csv")
    (folder / "net.py").write_text(NET)


def churn_table(rows: int, *, seed: int, phones: float = 0.3) -> pa.Table:
    """Customers, three rows each on average; `phones` is the share that came by phone."""
    rng = np.random.default_rng(seed)
    age, tenure = rng.integers(18, 80, rows), rng.exponential(30, rows).round(1)
    calls, spend = rng.poisson(2, rows), rng.gamma(3, 20, rows).round(2)
    channel = np.where(rng.random(rows) < phones, "phone", "shop")
    score = 0.8 * calls - 0.05 * tenure + 0.6 * (channel == "phone") + rng.normal(0, 0.7, rows) - 0.6
    return pa.table(
        {
            "customer": [f"c{each}" for each in rng.integers(0, rows // 3, rows)],
            "signup": [BEGIN + timedelta(days=int(day)) for day in rng.integers(0, 600, rows)],
            "age": age,
            "tenure": tenure,
            "calls": calls,
            "spend": spend,
            "channel": channel,
            "churned": np.where(score > 0, "yes", "no"),
        }
    )


def prices_table(rows: int, *, seed: int) -> pa.Table:
    """Houses with their price and the day they were sold."""
    rng = np.random.default_rng(seed)
    rooms, size = rng.integers(1, 8, rows), rng.gamma(9, 12, rows)
    return pa.table(
        {
            "sold": [BEGIN + timedelta(days=day) for day in range(rows)],
            "rooms": rooms,
            "size": size,
            "price": 2_000 * size + 9_000 * rooms + rng.normal(0, 2e4, rows),
        }
    )


def predictions_table(*, seed: int) -> pa.Table:
    """Predictions of 1,500 training and 500 dev rows, with the labels of three people."""
    rng = np.random.default_rng(seed)
    parts = np.repeat(["train", "dev"], [1_500, 500])
    y = rng.integers(0, 2, len(parts))
    wrong = rng.random(len(parts)) < np.where(parts == "train", 0.02, 0.12)
    people = {name: np.where(rng.random(len(y)) < 0.05, 1 - y, y) for name in ("anna", "ben", "carl")}
    return pa.table({"split": parts, "y": y, "prediction": np.where(wrong, 1 - y, y), **people})
