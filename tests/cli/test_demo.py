"""`wellfit demo`."""

from __future__ import annotations

from wellfit.cli.run import patients


def test_the_demo_runs_on_a_table_with_names(run):
    table = patients()
    assert (table.num_rows, table.num_columns) == (442, 11)
    ran = run("demo", "--budget", "20updates", "--json", "--quiet")
    assert ran.code == 0
    assert (ran.json["goal"], ran.json["experiment"]) == ("rmse", "demo.wellfit")
    assert ran.json["errors"]["train"]["rows"] == 266
