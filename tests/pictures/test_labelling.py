"""Dev pictures labelled by hand, in the page and in the journal."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace

import pytest
from picture_cases import squares, write_folder

import wellfit as wf
from wellfit.cli import label as label_command
from wellfit.cli import main
from wellfit.cli.label_page import LabelServer
from wellfit.exceptions import BadInput
from wellfit.experiment.labels import rows_to_settle, waiting
from wellfit.journal.history import seconds_spent
from wellfit.stats.intervals import wilson


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("labels")
    root = write_folder(place / "data", squares(160, classes=("dark", "<b>light")))
    return wf.run(root, budget="200updates", out=place / "e", ensemble=False)


@pytest.fixture
def experiment(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "e")
    return wf.open_experiment(tmp_path / "e")


def served(experiment, *, batch):
    server = LabelServer(experiment.split, experiment.labels(), keep=experiment.keep_label, batch=batch)
    thread = threading.Thread(target=server.serve_batch, daemon=True)
    thread.start()
    return server, thread


def get(address):
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode()


def post(server, **fields):
    body = urllib.parse.urlencode(fields).encode()
    request = urllib.request.Request(server.address, body, {"Origin": f"http://127.0.0.1:{server.server_port}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def raw(server, text):
    """The first line of the answer to bytes that no browser sends; empty where the connection is closed."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile().readline().strip()


def truth(experiment, row):
    return experiment.split.dev.column("label")[row].as_py()


def test_a_batch_is_labelled_in_the_page_and_the_next_one_goes_on(experiment):
    server, thread = served(experiment, batch=4)
    rows = list(server.rows)
    with server:
        page = get(server.address)
        assert "1 of 4" in page
        assert "<b>light" not in page
        assert "&lt;b&gt;light" in page
        for place, row in enumerate(rows):
            page = post(server, place=place, label=truth(experiment, row) if place else "dark")
        thread.join(10)
        assert "All pictures of this batch are labelled" in page
    wrong = int(truth(experiment, rows[0]) != "dark")
    found = experiment.human_error()
    assert (found.error.rows, found.error.value) == (4, wrong / 4)
    assert not set(waiting(experiment.labels(), experiment.split)) & set(rows)


def test_back_gives_a_label_anew_and_a_label_that_is_none_is_not_taken(experiment):
    server, thread = served(experiment, batch=2)
    rows = list(server.rows)
    with server:
        post(server, place=0, label="dark")
        assert "1 of 2" in post(server, place=1, back=1)
        assert "1 of 2" in post(server, place=0, label="a cat")
        post(server, place=0, label="<b>light")
        post(server, place=1, label="dark")
        thread.join(10)
    assert experiment.labels() == {rows[0]: "<b>light", rows[1]: "dark"}


def test_only_who_knows_the_address_may_label(experiment):
    server, thread = served(experiment, batch=1)
    with server:
        for path in ("/", "/label", server.path + "x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(f"http://127.0.0.1:{server.server_port}{path}")
        assert server.server_address[0] == "127.0.0.1"
        post(server, place=0, label="dark")
        thread.join(10)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param("Host: evil.example", "", "421", id="another name of this address"),
        pytest.param("Host: OWN\r\nOrigin: http://evil.example\r\nContent-Length: 18", "place=0&label=dark", "403",
                     id="the form of another page"),
        pytest.param("Host: OWN\r\nContent-Length: 18", "place=0&label=dark", "403", id="no origin"),
        pytest.param("Host: OWN\r\nOrigin: http://OWN\r\nContent-Length: x", "", "400", id="no number"),
        pytest.param("Host: OWN\r\nOrigin: http://OWN\r\nContent-Length: -1", "", "400", id="a negative length"),
        pytest.param("Host: OWN\r\nOrigin: http://OWN\r\nContent-Length: 99999", "", "400", id="too long"),
        pytest.param("Host: OWN\r\nOrigin: http://OWN", "", "400", id="no length"),
        pytest.param("Host: OWN\r\nOrigin: http://OWN\r\nContent-Length: 90", "place=0&label=da", "", id="half a body"),
    ],
)  # fmt: skip
def test_a_strange_request_gives_no_label_and_the_page_goes_on(experiment, headers, body, status):
    server, thread = served(experiment, batch=1)
    headers = headers.replace("OWN", f"127.0.0.1:{server.server_port}")
    with server:
        answer = raw(server, f"POST {server.path} HTTP/1.1\r\n{headers}\r\n\r\n{body}")
        assert answer.split(" ")[1:2] == ([status] if status else [])
        assert experiment.labels() == {}
        post(server, place=0, label="dark")
        thread.join(10)
        assert not thread.is_alive()
    assert len(experiment.labels()) == 1


def test_connections_that_say_nothing_do_not_block_the_page(experiment):
    server, thread = served(experiment, batch=1)
    with server, contextlib.ExitStack() as silent:
        for _ in range(8):
            silent.enter_context(socket.create_connection(("127.0.0.1", server.server_port)))
        post(server, place=0, label="dark")
        thread.join(10)
        assert not thread.is_alive()


def test_a_label_that_cannot_be_kept_is_said_and_may_be_given_again(experiment):
    server, thread = served(experiment, batch=1)
    with server:
        with experiment.workspace.writing(), pytest.raises(urllib.error.HTTPError) as refused:
            post(server, place=0, label="dark")
        assert refused.value.code == 503
        assert "not saved" in refused.value.read().decode()
        refused.value.close()
        assert experiment.labels() == {}
        post(server, place=0, label="dark")
        thread.join(10)
    assert len(experiment.labels()) == 1


def test_a_port_in_use_is_one_message(experiment, capsys):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert main(["label", str(experiment.path), "--port", port, "--no-browser"]) == 2
    assert "--port must be free" in capsys.readouterr().err


def test_the_command_says_what_people_come_to(experiment, capsys, monkeypatch):
    def answer(address):
        place = get(address)
        number = int(re.search(r"name='place' value='(\d+)'", place)[1])
        origin = {"Origin": "/".join(address.split("/")[:3])}
        request = urllib.request.Request(address, f"place={number}&label=dark".encode(), origin)
        urllib.request.urlopen(request, timeout=10).close()

    def person(address):
        threading.Thread(target=lambda: [answer(address) for _ in range(3)], daemon=True).start()

    monkeypatch.setattr(label_command.webbrowser, "open", person)
    assert main(["label", str(experiment.path), "--batch", "3", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["error"]["rows"] == 3
    assert body["rows"] == experiment.split.rows["dev"]
    assert main(["label", str(experiment.path), "--batch", "1", "--no-browser", "--help"]) == 0


def test_rows_settle_the_verdict_where_the_interval_leaves_the_limit():
    error = wilson(1, 50)
    more = rows_to_settle(error, 0.05, most=2_000)
    assert more % 50 == 0
    assert wilson(error.value * (50 + more), 50 + more).high < 0.05 <= wilson(error.value * more, more).high
    assert rows_to_settle(error, 0.3, most=2_000) == 0
    assert rows_to_settle(error, 0.02, most=500) is None


def test_a_table_is_not_labelled_by_hand(cancer_csv, tmp_path, capsys):
    wf.split(cancer_csv, target="target", out=tmp_path / "e")
    assert main(["label", str(tmp_path / "e")]) == 2
    assert "only pictures with classes can be labelled" in capsys.readouterr().err
    with pytest.raises(BadInput):
        wf.open_experiment(tmp_path / "e").human_error()


def test_the_hours_between_a_run_and_a_label_are_not_in_the_runs_budget(experiment):
    experiment.keep_label(0, "dark")
    entries = experiment.workspace.entries()
    late = [*entries[:-1], replace(entries[-1], at="2099-01-01T00:00:00.000+00:00")]
    assert entries[-1].kind == "label"
    assert seconds_spent(late, {}) == seconds_spent(entries[:-2], {})


def test_before_any_label_nothing_is_claimed(experiment):
    found = experiment.human_error()
    assert found.error is None
    assert found.sentence.startswith("None of the")
