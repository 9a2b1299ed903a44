"""Fits in processes of their own and by commands: what they tell, and what goes wrong in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from trainers import HUMAN, KNOBS, small

import wellfit as wf
from wellfit.cli import main

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys, time
sys.path.insert(0, {here!r})
from trainers import HUMAN, KNOBS, small
import wellfit as wf

def fit(knobs):
    time.sleep(.3)
    return small(knobs)

{guard}
    study = wf.Study("toy.wellfit", knobs=KNOBS, human_error=HUMAN, budget="12fits")
    study.run(fit, workers=2)
"""


def faulty(knobs):
    """Fails in three ways: a larger network is killed, a higher rate raises, dropout never ends."""
    print("width", knobs["width"], flush=True)
    if knobs["width"] > 200:
        os.kill(os.getpid(), signal.SIGKILL)
    if 2e-3 < knobs["lr"] < 6e-3:
        raise ValueError("no such schedule")
    if knobs["keep_prob"] < 1:
        signal.pause()
    return wf.Fit(**small(knobs))


def tells_its_gpu(knobs):
    """Prints the GPU that it sees, and takes long enough for a neighbour to begin."""
    print("gpu", os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(0.5)
    return small(knobs)


def wrong(_knobs):
    """Returns what is no fit."""
    return 0.3


def _local():
    def fit(knobs):
        return small(knobs)

    return fit


def _study(folder, **options):
    return wf.Study(folder / "toy.wellfit", **{"knobs": KNOBS, "human_error": HUMAN, "budget": "12fits", **options})


def test_failed_fits_are_recorded_with_their_last_lines_and_the_study_goes_on(tmp_path):
    seen = []
    study = _study(tmp_path, notify=seen.append)
    study.run(faulty, workers=2, timeout=5)
    reasons = {event["reason"].split(":")[0] for event in seen if event["event"] == "failed"}
    assert reasons == {"killed", "raised", "timeout"}
    assert any("ValueError: no such schedule" in event.get("reason", "") for event in seen)
    body = study.to_json()
    assert 4 < body["best"]["knobs"]["width"] <= 200
    assert body["failed"] == sum(event["event"] == "failed" for event in seen)


@pytest.mark.parametrize(
    ("fit", "options", "found"),
    [
        pytest.param(_local(), {"workers": 2}, "cannot be pickled", id="a lambda"),
        pytest.param(wrong, {"workers": 1}, "a float", id="no fit"),
        pytest.param(wrong, {"workers": 0}, "workers=0|found 0", id="no workers"),
    ],
)
def test_a_function_that_cannot_be_used_is_one_message(tmp_path, fit, options, found):
    study = _study(tmp_path)
    with pytest.raises(wf.BadInput, match=found):
        study.run(fit, **options)
    assert study.to_json()["fits"] == 0


def test_a_function_that_cannot_be_sent_runs_in_this_process_without_workers(tmp_path):
    study = _study(tmp_path)
    study.run(_local())
    assert study.to_json()["steps"][0]["kind"] == "bigger_network"


def _script(folder, *, guard):
    folder.mkdir()
    path = folder / "script.py"
    path.write_text(SCRIPT.format(here=str(Path(__file__).parent), guard=guard))
    return [sys.executable, str(path)]


def test_a_script_without_a_main_guard_is_one_message_before_the_first_fit(tmp_path):
    command = _script(tmp_path / "a", guard="if True:")
    done = subprocess.run(command, cwd=tmp_path / "a", capture_output=True, text=True, check=False)
    assert "a script without a main guard" in done.stderr
    assert wf.open_experiment(tmp_path / "a" / "toy.wellfit").to_json()["fits"] == 0


def test_killed_at_any_moment_the_same_script_ends_as_one_that_was_not(tmp_path):
    guard = 'if __name__ == "__main__":'
    tables = []
    for name, limits in (("whole", []), ("killed", [4.0, 6.0, 5.0])):
        command = _script(tmp_path / name, guard=guard)
        for seconds in limits:
            with subprocess.Popen(command, cwd=tmp_path / name, stderr=subprocess.DEVNULL) as process:
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
        subprocess.run(command, cwd=tmp_path / name, check=True)
        body = wf.open_experiment(tmp_path / name / "toy.wellfit").to_json()
        for timed in ("study", "report", "seconds"):
            del body[timed]
        tables.append(body)
    assert tables[0] == tables[1]


@pytest.fixture
def shell(tmp_path):
    """The example of a program in awk."""
    if shutil.which("awk") is None:
        pytest.skip("no awk here")
    for name in ("shell.toml", "train.sh"):
        shutil.copy(ROOT / "examples" / "study" / name, tmp_path)
    return tmp_path


def test_the_example_in_awk_runs_by_the_recipe(shell, capsys):
    assert main(["study", str(shell / "shell.toml"), "--json", "--quiet"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["steps"][0]["board"] == "optimization"
    assert body["errors"]["dev"]["value"] < 0.12
    assert body["best"]["knobs"]["degree"] > 1
    assert (shell / "shell.wellfit" / "report.html").is_file()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("{degree}", "{dergee}", "Did you mean {degree}?", id="misspelt knob"),
        pytest.param("> {out}", "", "no {out}", id="nowhere to write"),
        pytest.param('goal = "error"', 'gaol = "error"', "Did you mean 'goal'", id="misspelt key"),
        pytest.param("sh train.sh", "exit 7; sh train.sh", "Exit code 7", id="exits with an error"),
        pytest.param("> {out}", "; : {out}", "No predictions", id="writes nothing"),
        pytest.param("> {out}", "| head -3 > {out}", "dev", id="no dev rows"),
        pytest.param('role = "size"', 'role = "seize"', "Did you mean 'size'", id="misspelt role"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(shell, capsys, old, new, found):
    path = shell / "shell.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert main(["study", str(path), "--quiet"]) == 2
    assert found in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sklearn_pipeline", "pytorch_loop"])
def test_an_example_runs_to_its_end(tmp_path, name):
    script = ROOT / "examples" / "study" / f"{name}.py"
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "a study of" in done.stdout
    body = wf.open_experiment(tmp_path / f"{name}.wellfit").to_json()
    assert body["steps"][0]["board"] == "optimization"
    assert body["failed"] == 0


def test_a_second_try_is_not_blamed_for_the_words_of_the_first(tmp_path):
    (tmp_path / "fit.sh").write_text(
        'if [ -e tried ]; then echo "no such file"; exit 1; fi\ntouch tried; echo "CUDA out of memory"; kill -9 $$\n'
    )
    seen = []
    study = _study(tmp_path, notify=seen.append)
    with pytest.raises(wf.Refusal, match="3 failures in a row"):
        study.run_command("exec sh fit.sh {out}", folder=tmp_path)
    assert [event["reason"].split(":")[0] for event in seen if event["event"] == "failed"] == [
        "killed",
        "raised",
        "raised",
    ]


def test_workers_side_by_side_see_different_gpus(tmp_path):
    study = _study(tmp_path, budget="5fits")
    study.run(tells_its_gpu, workers=2, gpus=(0, 1))
    logs = [log.read_text() for log in (study.path / "fits").glob("*.log")]
    assert {word for log in logs for word in log.split() if word.isdigit()} == {"0", "1"}
