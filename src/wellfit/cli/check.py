"""`wellfit check`: can a network of your own learn at all?"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.options import format_options, given
from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage
from wellfit.exceptions import BadInput

if TYPE_CHECKING:
    from wellfit.data.prepare import Prepared


@stage(
    examples="""
  wellfit check churn.csv --target churned --module net.py:make_net
  wellfit check churn.wellfit --module net.py:make_net --json

net.py is your own file, and wellfit runs it. make_net(inputs, outputs) returns a torch.nn.Module, whose inputs are the
same as in a sweep with module=: scaled numbers, then each category as one-hot. In Python, wf.check(net, X, y) accepts
any rows, and also your own loss and optimizer.
"""
)
@click.argument("data", type=FILE, metavar="DATA|EXPERIMENT")
@click.option("--module", required=True, metavar="FILE:NAME", help="The file, and the name of the function in it.")
@click.option("--target", metavar="COLUMN", help="Column of DATA to predict.")
@click.option(
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="[default: classification for strings, booleans and at most 20 distinct integers]",
)
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave this column out; may be repeated.")
@format_options
def check(*, session: Session, data: Path, module: str, **options: Any) -> None:
    """Check a network before it is trained: loss, gradients, rows, noise, initial weights.

    Reports eighteen findings (WF501 to WF518): those that fired come first, in the order in which one explains
    another. It writes nothing and looks at no test row.
    """
    from wellfit.checking.before import check_prepared

    factory = load_named(module)
    found = check_prepared(factory, _prepared(data, given(options)), seed=session.seed or 0)
    session.result(found.to_json(), text=str(found))


def load_named(place: str) -> Any:
    """Run the user's own file, and return its object named NAME."""
    path, _, name = place.rpartition(":")
    file = Path(path)
    if not path or not name or not file.is_file():
        raise BadInput(
            "--module must name a Python file and a function in it, as FILE:NAME",
            found=repr(place) + ("" if not path or file.is_file() else ", which is not a file"),
            remedy="Pass, for example, net.py:make_net",
        )
    spec = importlib.util.spec_from_file_location(f"_checked_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(loaded)
    except Exception as error:
        raise BadInput(
            "--module must name a file that runs without errors",
            found=f"{file}: {type(error).__name__}: {error}",
            remedy="Run the file with Python, and correct the error",
        ) from error
    finally:
        sys.path.remove(str(file.resolve().parent))
    if not hasattr(loaded, name):
        known = [each for each in vars(loaded) if not each.startswith("_")]
        raise BadInput(
            "--module must name a function in the file",
            found=f"no {name!r} in {file}",
            remedy=f"The file defines {', '.join(known) or 'nothing'}",
        )
    return getattr(loaded, name)


def _prepared(data: Path, asked: dict[str, Any]) -> Prepared:
    import wellfit as wf
    from wellfit.experiment.folder import is_experiment

    if not is_experiment(data):
        return wf.split(data, **asked).prepared()
    if asked:
        raise BadInput(
            "EXPERIMENT must be used without the options of DATA",
            found=", ".join(f"--{name}" for name in asked),
            remedy="Remove them: the split has its target and its columns",
        )
    return wf.open_experiment(data).split.prepared()
