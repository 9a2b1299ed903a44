"""--delimiter, --decimal and --encoding: what the detection would get wrong is given once, and kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wellfit as wf
from wellfit.experiment.folder import open_folder


def write(path, *, rows=200, target=True, sign="~", seed=0):
    """A file of numbers with decimal commas between signs that nobody guesses."""
    rng = np.random.default_rng(seed)
    lines = [sign.join(["size", "weight", *(["größe"] if target else [])])]
    for _ in range(rows):
        size, weight = rng.normal(size=2)
        cells = [f"{size:.3f}".replace(".", ","), f"{weight:.3f}".replace(".", ",")]
        lines.append(sign.join([*cells, *(["ja" if size > 0 else "nein"] if target else [])]))
    path.write_text("\n".join(lines), encoding="latin-1")
    return path


FORMAT = ("--delimiter", "~", "--decimal", ",", "--encoding", "latin-1")


def test_the_format_of_a_file_is_given_once_and_kept(run, tmp_path):
    data = write(tmp_path / "data.csv")
    split = run("split", data, "--target", "größe", "--out", "one.wellfit", "--json", *FORMAT)
    assert split.code == 0, split.err
    kinds = {column["name"]: column["kind"] for column in json.loads(split.out)["columns"]["columns"]}
    assert (kinds["size"], kinds["weight"]) == ("number", "number")
    settings = open_folder(tmp_path / "one.wellfit").settings
    assert (settings.delimiter, settings.decimal, settings.encoding) == ("~", ",", "latin-1")
    # Another file, such as the rows to predict, is read as DATA was; without a word about its format.
    assert run("train", "one.wellfit", "--epochs", 1).code == 0
    new = write(tmp_path / "new.csv", rows=7, target=False, seed=1)
    predicted = run("predict", "one.wellfit", new, "-o", "out.csv")
    assert predicted.code == 0, predicted.err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 7
    other = write(tmp_path / "other.csv", rows=5, target=False, sign="^", seed=2)
    assert run("predict", "one.wellfit", other, "-o", "out2.csv").code == 2
    assert run("predict", "one.wellfit", other, "-o", "out2.csv", "--delimiter", "^").code == 0


def test_the_same_command_with_another_format_is_refused(run, tmp_path):
    data = write(tmp_path / "data.csv")
    assert run("split", data, "--target", "größe", "--out", "one.wellfit", *FORMAT).code == 0
    again = run("split", data, "--target", "größe", "--out", "one.wellfit", *FORMAT[:2])
    assert again.code == 2
    assert "decimal" in again.err


def test_python_takes_them_too(tmp_path):
    split = wf.split(write(tmp_path / "data.csv"), target="größe", delimiter="~", decimal=",", encoding="latin-1")
    assert sum(split.rows.values()) == 200


def test_predictions_of_another_format(run, tmp_path):
    path = tmp_path / "predictions.csv"
    rows = [f"{part}~{number % 2}~{number % 2}" for part in ("train", "dev") for number in range(60)]
    path.write_text("\n".join(["split~y~prediction", *rows]))
    assert run("diagnose", path, "--human-error", 0, "--delimiter", "~").code == 0


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--delimiter", ";;", "a single character"),
        ("--decimal", "a", "a single character"),
        ("--encoding", "klingon", "Python knows"),
    ],
)
def test_a_format_that_cannot_be_is_refused(run, tmp_path, option, value, word):
    refused = run("split", write(tmp_path / "data.csv"), "--target", "größe", option, value)
    assert refused.code == 2
    assert word in refused.err


def test_one_sign_cannot_be_both(run, tmp_path):
    data = write(tmp_path / "data.csv")
    refused = run("split", data, "--target", "größe", "--delimiter", ",", "--decimal", ",")
    assert refused.code == 2
    assert "differ" in refused.err


SHOP = "sold,price,area,bought\n" + "".join(
    f'{1 + i % 12}/{1 + i % 28}/2024,"{1000 + i:,}.50",{["NA", "EU"][i % 2]},{["yes", "no"][i % 3 == 0]}\n'
    for i in range(120)
)


def test_split_says_what_it_read_and_keeps_it(run, tmp_path):
    (tmp_path / "shop.csv").write_text(SHOP)
    said = run("split", "shop.csv", "--target", "bought")
    assert said.code == 0, said.err
    for words in ("'no' 40, 'yes' 80", "month first; 2024-01-01 to", "',' between thousands", "area: 'NA' 60"):
        assert words in said.out
    kept = json.loads((tmp_path / "shop.wellfit" / "split.json").read_text())["split"]
    assert kept["schema"]["counts"] == {"no": 40, "yes": 80}
    assert kept["written"]["delimiter"] == ","


SAID = {
    "options": (["--missing", "", "--types", "sold=date-dmy,price=category"], ""),
    "toml": ([], 'missing = [""]\n[types]\nsold = "date-dmy"\nprice = "category"\n'),
}


@pytest.mark.parametrize(("options", "toml"), SAID.values(), ids=SAID)
def test_what_is_read_can_be_told(options, toml, run, tmp_path):
    rows = [
        f"{1 + i % 12}/{1 + i % 11}/2024,{i % 7}.5,{['NA', 'EU'][i % 2]},{['yes', 'no'][i % 3 == 0]}"
        for i in range(120)
    ]
    (tmp_path / "shop.csv").write_text("\n".join(["sold,price,area,bought", *rows]))
    (tmp_path / "shop.toml").write_text(toml)
    found = run("split", "shop.csv", "--target", "bought", "--json", "--config", "shop.toml", *options)
    assert found.code == 0, found.err
    columns = {each["name"]: each for each in json.loads(found.out)["columns"]["columns"]}
    assert columns["price"]["kind"] == "category"
    assert columns["sold"]["reading"]["order"] == "dmy"
    assert "missing" not in columns["area"].get("reading", {})


def test_several_files_are_one_table_and_stay_so(run, tmp_path):
    head, *rows = SHOP.splitlines()
    for name, part in (("a.csv", rows[:60]), ("b.csv", rows[60:])):
        (tmp_path / name).write_text("\n".join([head, *part]))
    command = ("split", "a.csv", "b.csv", "--target", "bought", "--out", "both.wellfit")
    assert run(*command).code == 0
    assert sum(wf.open_experiment("both.wellfit").split.rows.values()) == 120
    assert run(*command).code == 0
    (tmp_path / "b.csv").write_text("\n".join([head, *rows[60:90]]))
    assert run(*command).code == 2
