"""`wellfit doctor`."""

from __future__ import annotations

import numpy as np

from wellfit.cli import doctor


def test_it_reports_versions_engine_and_folders(run, tmp_path):
    body = run("doctor", "--json").json
    assert body["packages"]["numpy"] == np.__version__
    assert body["cores"] >= 1
    assert body["engine"]["processes"] == body["cores"]
    assert body["home"] == {**body["home"], "path": str(tmp_path / "home"), "writable": True}
    assert body["warnings"] == []


def test_the_text_says_that_all_is_well(run):
    assert run("doctor").out.rstrip().endswith("All is well.")


def test_a_home_that_cannot_be_written_is_a_warning(run, monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("WELLFIT_HOME", "/proc/wellfit")
    ran = run("doctor", "--json")
    assert ran.json["home"]["writable"] is False
    assert "/proc/wellfit cannot be written" in ran.json["warnings"][0]
    assert "All is well" not in run("doctor").out


def test_a_network_file_system_is_a_warning(run, monkeypatch, tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("wellfit.journal.store.MOUNTS", mounts)
    assert any("network file system (nfs4)" in warning for warning in run("doctor", "--json").json["warnings"])


def test_a_package_that_is_missing_is_a_warning(run, monkeypatch):
    monkeypatch.setattr(doctor, "_PACKAGES", (*doctor._PACKAGES, "absent-package"))
    assert "absent-package is not installed; run pip install wellfit" in run("doctor", "--json").json["warnings"]
