"""What can be said about a Ray cluster without one: addresses, amounts, and a Ray that is not installed."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

import wellfit as wf
from wellfit.cli import main
from wellfit.exceptions import BadInput


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"address": "churn.csv"}, r"must be HOST:PORT; found 'churn.csv'"),
        ({"address": "10.0.0.7"}, r"must be HOST:PORT; found '10.0.0.7'"),
        ({"address": "ray://10.0.0.7:10001"}, r"inside the cluster's network.*ray job submit"),
        ({"address": "10.0.0.7:6379", "local": 2}, r"joined or started, not both"),
        ({"cpus": 0}, r"cpus of Ray must be a number above 0.*found cpus=0"),
        ({"cpus": True}, r"cpus of Ray must be a number above 0.*found cpus=True"),
        ({"gpus": -0.5}, r"gpus of Ray must be 0, a share .*found gpus=-0.5"),
        ({"gpus": 1.5}, r"gpus of Ray must be 0, a share .*found gpus=1.5"),
        ({"gpus": float("nan")}, r"gpus of Ray must be 0, a share .*found gpus=nan"),
        ({"local": 0}, r"local of Ray must be a whole number, at least 1"),
        ({"local": 1.5}, r"local of Ray must be a whole number, at least 1; found local=1.5"),
        ({"cpu": 2}, r"cpu"),
    ],
    ids=lambda given: ",".join(given) if isinstance(given, dict) else "",
)
def test_a_wrong_value_is_refused_before_anything_is_joined(given, message):
    with pytest.raises(BadInput, match=message):
        wf.Ray(**given)


@pytest.mark.parametrize(
    "given", [{"gpus": 0.25}, {"gpus": 1}, {"gpus": 2}, {"gpus": 2.0}, {"cpus": 0.5}, {"local": 3}]
)
def test_amounts_that_ray_can_reserve_are_taken(given):
    assert {name: getattr(wf.Ray(**given), name) for name in given} == given


@pytest.mark.parametrize("address", ["churn.csv", "ray://10.0.0.7:10001"])
def test_a_wrong_address_in_the_environment_is_named_as_such(monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BadInput, match=r"in RAY_ADDRESS.*Unset RAY_ADDRESS, or pass --ray HOST:PORT"):
        wf.Ray().require()


def test_a_host_that_cannot_be_a_name_is_no_answer():
    with pytest.raises(BadInput, match=r"found no answer from a\.\.b:6379"):
        wf.Ray(address="a..b:6379").require()


@pytest.fixture
def experiment(tmp_path):
    source = tmp_path / "rows.csv"
    source.write_text("a,y\n" + "".join(f"{row % 7},{'yes' if row % 7 > 3 else 'no'}\n" for row in range(90)))
    assert main(["split", str(source), "--target", "y", "--out", str(tmp_path / "rows.wellfit")]) == 0
    return tmp_path / "rows.wellfit"


def closed_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_port_where_nothing_listens_is_one_message_and_exit_code_2(experiment, capsys):
    address, began = f"127.0.0.1:{closed_port()}", time.monotonic()
    assert main(["sweep", str(experiment), "--members", "2", "--ray", address]) == 2
    assert time.monotonic() - began < 10
    assert f"found no answer from {address}." in capsys.readouterr().err


def test_a_port_where_something_else_listens_is_refused_too(experiment, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_take_and_drop, args=(server,), daemon=True).start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert main(["run", str(experiment), "--ray", address]) == 2
    assert f"found no answer from {address}." in capsys.readouterr().err


def _take_and_drop(server):
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


@pytest.mark.parametrize("command", [wf.run, wf.sweep])
def test_an_executor_that_is_no_cluster_is_one_message(experiment, command):
    with pytest.raises(BadInput, match=r"found '10.0.0.7:6379'.*executor=wf.Ray\(address='10.0.0.7:6379'\)"):
        command(experiment, executor="10.0.0.7:6379")


def test_a_run_that_has_finished_is_shown_without_its_cluster(experiment):
    made = wf.run(experiment, budget="20updates")
    gone = wf.Ray(address=f"127.0.0.1:{closed_port()}")
    assert wf.run(experiment, budget="20updates", executor=gone).to_json()["sentence"] == made.to_json()["sentence"]


def test_without_the_extra_the_message_says_what_to_install(experiment, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    assert main(["sweep", str(experiment), "--members", "2", "--ray"]) == 2
    assert "pip install 'wellfit[ray]'" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["import wellfit", "import wellfit as wf; wf.Ray()", "main(['sweep', '--help'])"])
def test_ray_is_not_imported_before_a_cluster_is_joined(code):
    program = f"import sys\nfrom wellfit.cli import main\n{code}\nsys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 0
