"""Six tables, each with a source of new rows; thirty ways to work on a table that keep its rows; and hard sources.

The hard sources are those whose new rows agree with earlier ones in much: few values, many equal rows, numbered rows,
the same people, places or hours again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits

ROWS = 1_200


def customers(rng, rows=ROWS):
    """Mixed columns: categories, counts, amounts, missing values; a row number, as exports have it."""
    age = rng.integers(18, 90, rows)
    income = np.exp(rng.normal(10, 0.5, rows))
    visits = rng.poisson(3, rows)
    frame = pd.DataFrame(
        {
            "row": np.arange(rows),
            "age": age,
            "income": income.round(2),
            "visits": visits,
            "region": rng.choice(["north", "south", "east", "west"], rows, p=[0.4, 0.3, 0.2, 0.1]),
            "plan": rng.choice(["basic", "plus", "pro"], rows),
            "balance": rng.normal(0, 900, rows).round(2),
            "rate": rng.beta(2, 5, rows),
            "member": rng.integers(0, 2, rows).astype(bool),
            "score": rng.normal(600, 80, rows).round(1),
        }
    )
    frame.loc[rng.random(rows) < 0.05, "balance"] = np.nan
    wants = rng.random(rows) < 1 / (1 + np.exp(-(age - 50) / 20 - (visits - 3) / 3))
    return frame.assign(target=np.where(wants, "yes", "no"))


def sensors(rng, rows=ROWS):
    """Floats that depend on each other."""
    base = rng.normal(size=(rows, 4))
    values = base @ rng.normal(size=(4, 12)) + 0.5 * rng.normal(size=(rows, 12))
    frame = pd.DataFrame(values, columns=[f"s{place}" for place in range(12)])
    return frame.assign(target=np.where(base[:, 0] + rng.normal(0, 0.5, rows) > 0, "a", "b"))


def survey(rng, rows=ROWS):
    """Small whole numbers: answers from 1 to 5, many of them the middle one."""
    mood = rng.normal(size=(rows, 1))
    answers = np.clip(np.rint(3 + 0.6 * mood + rng.normal(0, 0.9, (rows, 20))), 1, 5).astype(int)
    frame = pd.DataFrame(answers, columns=[f"q{place}" for place in range(20)])
    return frame.assign(target=np.where(mood[:, 0] + rng.normal(0, 0.4, rows) > 0, "glad", "sad"))


def few(rng, rows=ROWS):
    """Four measurements to one decimal, as of flowers."""
    kind = rng.integers(0, 3, rows)
    means = np.array([[5.0, 3.4, 1.5, 0.3], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    values = means[kind] + rng.normal(size=(rows, 4)) * [0.5, 0.4, 0.4, 0.25]
    frame = pd.DataFrame(values.round(2), columns=["sepal", "width", "petal", "breadth"])
    return frame.assign(target=np.array(["setosa", "versicolor", "virginica"])[kind])


def _halves(rng, frame, rows):
    return frame.iloc[rng.permutation(len(frame))[:rows]].reset_index(drop=True)


def cancer(rng, rows=280):
    """Real measurements: half of the rows."""
    data = load_breast_cancer()
    frame = pd.DataFrame(data.data, columns=[name.replace(" ", "_") for name in data.feature_names])
    return _halves(rng, frame.assign(target=np.array(["malignant", "benign"])[data.target]), rows)


def digits(rng, rows=890):
    """Pixels from 0 to 16, many always 0: half of the rows."""
    data = load_digits()
    frame = pd.DataFrame(data.data.astype(int), columns=[f"p{place}" for place in range(64)])
    return _halves(rng, frame.assign(target=np.array([f"d{digit}" for digit in data.target])), rows)


TABLES = {table.__name__: table for table in (customers, sensors, survey, few, cancer, digits)}
REAL = ("cancer", "digits")


def _numbers(frame):
    return [name for name in frame.columns if frame[name].dtype.kind in "if" and name != "target"]


def _features(frame):
    return [name for name in frame.columns if name != "target"]


def _each_number(change):
    def way(frame, _rng):
        names = _numbers(frame)
        return frame.assign(**{name: change(frame[name].astype(float)) for name in names})

    return way


def _noise(frame, rng):
    return frame.assign(noise=rng.normal(size=len(frame)))


def _derived(frame, _rng):
    first, second, *_ = _numbers(frame)
    return frame.assign(product=frame[first] * frame[second])


def _many_derived(frame, _rng):
    names = _numbers(frame)[:6]
    return frame.assign(**{f"{name}_squared": frame[name].astype(float) ** 2 for name in names})


def _noise_first(frame, rng):
    return pd.concat([pd.Series(rng.normal(size=len(frame)), name="noise"), frame], axis=1)


def _without(share):
    def way(frame, rng):
        names = _features(frame)
        gone = rng.permutation(names)[: max(1, round(share * len(names)))]
        return frame.drop(columns=list(gone))

    return way


def _rename_one(frame, rng):
    return frame.rename(columns={rng.choice(_features(frame)): "renamed"})


def _rename_all(frame, _rng):
    return frame.rename(columns={name: f"x{place}" for place, name in enumerate(_features(frame))})


def _rename_all_and_add(frame, rng):
    return _noise(_rename_all(frame, rng), rng)


def _class_renamed(frame, _rng):
    first = sorted(frame["target"].unique())[0]
    return frame.assign(target=frame["target"].replace({first: f"class {first}"}))


def _classes_as_numbers(frame, _rng):
    return frame.assign(target=pd.factorize(frame["target"], sort=True)[0])


def _categories_as_numbers(frame, _rng):
    words = [name for name in frame.columns if frame[name].dtype.kind not in "if"]
    return frame.assign(**{name: pd.factorize(frame[name], sort=True)[0] for name in words})


def _unknown(count):
    def way(frame, rng):
        name = rng.choice(_numbers(frame))
        cells = frame[name].astype(object)
        cells[rng.permutation(len(frame))[:count]] = "unknown"
        return frame.assign(**{name: cells.astype(str)})

    return way


def _as_text(frame, _rng):
    return frame.assign(**{name: frame[name].map(str) for name in _numbers(frame)})


def _other_order(frame, rng):
    return frame[list(rng.permutation(frame.columns))]


def _shuffled(frame, rng):
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def _some_rows_less(frame, rng):
    return frame[rng.random(len(frame)) > 0.05].reset_index(drop=True)


def _clipped(values):
    return values.clip(values.quantile(0.02), values.quantile(0.98))


def _standard(values):
    return (values - values.mean()) / (values.std() or 1)


def _one_corrected(frame, rng):
    name, row = rng.choice(_numbers(frame)), int(rng.integers(len(frame)))
    cells = frame[name].astype(float)
    cells[row] = cells.mean()
    return frame.assign(**{name: cells})


def _holes(frame, rng):
    return frame.assign(**{name: frame[name].mask(rng.random(len(frame)) < 0.05) for name in _numbers(frame)})


def _all_at_once(frame, rng):
    return _class_renamed(
        _rename_one(_each_number(lambda values: values.astype(np.float32))(_noise(frame, rng), rng), rng), rng
    )


def _binned(frame, rng):
    name = rng.choice(_numbers(frame))
    return frame.assign(**{name: pd.qcut(frame[name], 4, duplicates="drop").astype(str)})


def _in_percent(frame, rng):
    name = rng.choice(_numbers(frame))
    return frame.assign(**{name: frame[name] * 100})


WAYS = {
    "a column of noise": _noise,
    "a derived column": _derived,
    "squares of six columns": _many_derived,
    "a column of noise, first": _noise_first,
    "a column less": _without(0),
    "a quarter of the columns less": _without(0.25),
    "a third of the columns less": _without(0.34),
    "a column renamed": _rename_one,
    "all features renamed": _rename_all,
    "all features renamed, one added": _rename_all_and_add,
    "the target renamed": lambda frame, _rng: frame.rename(columns={"target": "label"}),
    "a class renamed": _class_renamed,
    "classes as numbers": _classes_as_numbers,
    "all categories as numbers": _categories_as_numbers,
    "numbers rounded to 2 decimals": _each_number(lambda values: values.round(2)),
    "numbers rounded to 3 digits": _each_number(lambda values: values.map(lambda value: float(f"{value:.3g}"))),
    "float32": _each_number(lambda values: values.astype(np.float32)),
    "one cell unknown": _unknown(1),
    "ten cells unknown": _unknown(10),
    "numbers as text": _as_text,
    "another order of columns": _other_order,
    "another order of rows": _shuffled,
    "one row in twenty less": _some_rows_less,
    "outliers clipped": _each_number(_clipped),
    "standardized": _each_number(_standard),
    "one cell corrected": _one_corrected,
    "one cell in twenty emptied": _holes,
    "one column in bins": _binned,
    "one column in another unit": _in_percent,
    "noise, a new name, float32, a class renamed": _all_at_once,
}


def _binary(rng):
    return pd.DataFrame(rng.integers(0, 2, (1_000, 4)), columns=[*"abc", "target"])


def _numbered(rng):
    return _binary(rng).assign(row=np.arange(1_000))


def _ten_kinds(rng):
    kinds = np.random.default_rng(3).integers(0, 50, (10, 6))
    return pd.DataFrame(kinds[rng.integers(0, 10, 1_000)], columns=[*"abcde", "target"])


def _clusters(rng):
    """Rows close to one of sixty kinds."""
    kinds = np.random.default_rng(9).integers(0, 20, (60, 8))[rng.integers(0, 60, 1_000)]
    changed = np.where(rng.random(kinds.shape) < 0.1, rng.integers(0, 20, kinds.shape), kinds)
    return pd.DataFrame(changed, columns=[*"abcdefg", "target"])


def _skewed(rng):
    return pd.DataFrame(rng.zipf(1.6, (1_000, 5)).clip(0, 10**6), columns=[*"abcd", "target"])


def _same_places(rng):
    """The same stations, with five columns of their own, at another time."""
    stations = np.random.default_rng(4).normal(size=(600, 4))
    frame = pd.DataFrame(stations, columns=["lat", "lon", "height", "size"]).assign(station=np.arange(600))
    frame = frame.assign(**{f"value{place}": rng.normal(size=600) for place in range(4)})
    return frame.assign(target=rng.integers(0, 2, 600))


def _same_people(rng):
    """The same customers by their numbers, who mostly have the same few properties."""
    number = np.random.default_rng(4).integers(0, 10**9, 600)
    counts = {"a": rng.integers(0, 3, 600), "b": rng.integers(0, 2, 600), "c": rng.poisson(1, 600)}
    return pd.DataFrame({"customer": number, **counts, "d": rng.integers(0, 4, 600), "target": rng.integers(0, 2, 600)})


def _same_grid(rng):
    rows, columns = (place.ravel() for place in np.meshgrid(range(30), range(30)))
    value = {"value": rng.normal(size=900), "kind": rng.integers(0, 9, 900)}
    return pd.DataFrame({"row": rows, "column": columns, **value, "target": rng.integers(0, 2, 900)})


def _same_hours(rng):
    at = pd.date_range("2020-01-01", periods=1_000, freq="h")
    walk = np.cumsum(rng.normal(size=(1_000, 4)), axis=0).round(1)
    when = {"at": at, "hour": at.hour, "day": at.day_of_week}
    return pd.DataFrame(walk, columns=[*"abcd"]).assign(**when, target=rng.integers(0, 2, 1_000))


HARD = {
    "four columns of 0 and 1": _binary,
    "the same, with row numbers": _numbered,
    "ten kinds of rows": _ten_kinds,
    "sixty kinds of rows, nearly": _clusters,
    "skewed whole numbers": _skewed,
    "the same places": _same_places,
    "the same people": _same_people,
    "the same grid": _same_grid,
    "the same hours": _same_hours,
    "customers": customers,
    "sensors": sensors,
    "survey": survey,
    "few": few,
}
