"""`wellfit explain`."""

from __future__ import annotations


def test_a_finding_is_explained(run):
    ran = run("explain", "WF102")
    assert ran.code == 0
    assert "variance" in ran.out
    assert run("explain", "WF102", "--json").json == {"schema": 1, "code": "WF102", "text": ran.out.rstrip("\n")}


def test_an_unknown_code_is_refused_with_the_nearest(run):
    run("explain", "WF10Z").assert_refused("WF10")


def test_without_a_code_all_are_listed_and_each_can_be_explained(run):
    codes = run("explain", "--json").json["codes"]
    assert codes["WF102"] == "high variance"
    assert "WF102  high variance" in run("explain").out
    assert all(title in run("explain", code).out for code, title in codes.items())
