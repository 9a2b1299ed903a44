"""The page on which a person labels pictures: plain forms served by the standard library, on this machine only.

The address holds a secret, so that no other page in the browser can submit labels.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

from wellfit.exceptions import BadInput, WellfitError
from wellfit.experiment.labels import png_of, waiting
from wellfit.splits.split import Split

HOST = "127.0.0.1"
MOST_BYTES = 10_000
KEYS = "123456789abcdefghijklmnopqrstuvwxyz"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;text-align:center}
img{image-rendering:pixelated;max-width:100%;border:1px solid #999}
button{font:inherit;margin:.25rem;padding:.5rem 1rem;min-width:4rem}
kbd{opacity:.6;margin-right:.4rem}
"""
_SCRIPT = """
addEventListener("keydown", event => {
  const button = document.querySelector(`button[data-key="${event.key}"]`)
  if (button && !event.ctrlKey && !event.metaKey && !event.altKey) button.click()
})
"""


_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class LabelServer(ThreadingHTTPServer):
    """Serves one picture after another until a batch is labelled.

    Each connection has its own thread, because browsers open some that they never use. Under the lock `state`, one
    request at a time reads or changes the labels.

    Args:
        split: the split with the dev pictures.
        labels: the label of each dev row labelled so far; new ones are added.
        keep: function that saves a label permanently.
        batch: number of pictures to label.
        port: port of the page; 0 for any free one.

    Raises:
        BadInput: the port is taken or not allowed for this user.
    """

    daemon_threads = True
    block_on_close = False
    timeout = 0.2  # seconds between two checks of whether the batch is done

    def __init__(
        self,
        split: Split,
        labels: dict[int, str],
        *,
        keep: Callable[[int, str], None],
        batch: int,
        port: int = 0,
    ) -> None:
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise BadInput(
                "--port must be free and allowed for this user",
                found=f"{port} ({error.strerror})",
                remedy="Pass another port, or remove --port to use any free one",
            ) from error
        self.state = threading.Lock()
        self.split = split
        self.labels = labels
        self.rows = waiting(labels, split)[:batch]
        self.place = 0
        self._keep = keep
        self._secret = secrets.token_urlsafe(16)
        self._failure: BaseException | None = None

    @property
    def path(self) -> str:
        """The path of the page, which nobody can guess."""
        return f"/{self._secret}/"

    @property
    def address(self) -> str:
        """The URL to open in a browser."""
        return f"http://{HOST}:{self.server_port}{self.path}"

    @property
    def is_done(self) -> bool:
        """Whether every picture of the batch has a label."""
        return self.place >= len(self.rows)

    def serve_batch(self) -> None:
        """Answer requests until the batch is done; raise the error of a request unless it is a refusal."""
        while not self.is_done:
            self.handle_request()
            if self._failure is not None:
                raise self._failure
        with self.state:
            pass  # the last page is on its way

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  # the server's signature
        """Ignore a connection that the browser has dropped; keep any other error for `serve_batch`."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            self._failure = error

    @property
    def own_hosts(self) -> tuple[str, str]:
        """Names of this server in a browser's requests; a request to any other name comes from a foreign page."""
        return f"{HOST}:{self.server_port}", f"localhost:{self.server_port}"

    def give(self, place: int, label: str) -> None:
        """Store the label for the picture at a position of the batch; refuse a label for any other position."""
        if 0 <= place < len(self.rows) and label in self.split.schema.classes:
            self._keep(self.rows[place], label)
            self.labels[self.rows[place]] = label
            self.place = place + 1

    def back(self) -> None:
        """Show the previous picture again."""
        self.place = max(0, self.place - 1)

    def page(self) -> str:
        """Return the page with the next picture, or the page that says that the batch is done."""
        if self.is_done:
            return _whole("Done", "<p>All pictures of this batch are labelled. You can close the page.</p>")
        picture = png_of(self.split, self.rows[self.place])
        title = f"{self.place + 1} of {len(self.rows)}"
        choices = "".join(map(_button, self.split.schema.classes, _keys(self.split.schema.classes)))
        return _whole(
            title,
            f"<h1>{title}: what is this?</h1><p><img alt='the picture' src='data:image/png;base64,{picture}'></p>"
            f"<form method='post'><input type='hidden' name='place' value='{self.place}'>{choices}"
            "<p><button name='back' value='1' data-key='Backspace'><kbd>⌫</kbd>back</button></p></form>",
        )


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = 10  # seconds within which a connection must finish its request

    def do_GET(self) -> None:
        """Show the page."""
        if self._is_ours():
            self._show()

    def do_POST(self) -> None:
        """Store a label, and show the next picture."""
        if not self._is_ours():
            return
        if self.headers.get("Origin") not in {f"http://{host}" for host in self.server.own_hosts}:
            self.send_error(403, "The form must be sent from the page itself")
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal() and int(length) <= MOST_BYTES):
            self.send_error(400, "The request must have a valid Content-Length")
            return
        body = self.rfile.read(int(length))
        if len(body) == int(length):
            self._show({name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()})

    def _is_ours(self) -> bool:
        if self.headers.get("Host") not in self.server.own_hosts:
            # A stranger's page whose name was made to point here (DNS rebinding).
            self.send_error(421, "This server answers requests from this machine only")
        elif self.path != self.server.path:
            self.send_error(404)
        else:
            return True
        return False

    def _show(self, asked: Mapping[str, str] = MappingProxyType({})) -> None:
        """Carry out what the form asks, and show the page."""
        with self.server.state:
            try:
                if "back" in asked:
                    self.server.back()
                elif asked.get("place", "").isdecimal():
                    self.server.give(int(asked["place"]), asked.get("label", ""))
            except WellfitError as error:
                self._send(
                    _whole("Not saved", f"<h1>The label was not saved</h1><p>{escape(str(error))}</p>"), status=503
                )
                return
            self._send(self.server.page())

    def log_message(self, *_: Any) -> None:
        """Log nothing: the terminal is for people."""

    def _send(self, page: str, *, status: int = 200) -> None:
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _keys(classes: Sequence[str]) -> list[str]:
    """Return the key of each class: its name if all names are single characters, otherwise numbers and then letters."""
    if all(len(name) == 1 for name in classes):
        return list(classes)
    return [*KEYS[: len(classes)], *[""] * (len(classes) - len(KEYS))]


def _button(name: str, key: str) -> str:
    hint = f"<kbd>{escape(key)}</kbd>" if key and key != name else ""
    return f"<button name='label' value='{escape(name)}' data-key='{escape(key)}'>{hint}{escape(name)}</button>"


def _whole(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}</style>"
        f"<body>{body}<script>{_SCRIPT}</script></body></html>"
    )
