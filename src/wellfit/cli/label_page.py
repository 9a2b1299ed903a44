"""The page on which a person labels pictures: plain forms from the standard library's server, on this machine alone.

The address holds a secret, so that no other page of the browser can give labels.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs

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


class LabelServer(HTTPServer):
    """Shows one picture after the other until a batch is done.

    Args:
        split: has the dev pictures.
        labels: dev row -> label, as far as given; what comes is added.
        keep: writes a label down for good.
        batch: how many pictures.
        port: 0 for any that is free.
    """

    def __init__(
        self,
        split: Split,
        labels: dict[int, str],
        *,
        keep: Callable[[int, str], None],
        batch: int,
        port: int = 0,
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.split = split
        self.labels = labels
        self.rows = waiting(labels, split)[:batch]
        self.place = 0
        self._keep = keep
        self._secret = secrets.token_urlsafe(16)

    @property
    def path(self) -> str:
        """The path of the page, which nobody can guess."""
        return f"/{self._secret}/"

    @property
    def address(self) -> str:
        """The URL that a browser opens."""
        return f"http://{HOST}:{self.server_port}{self.path}"

    @property
    def is_done(self) -> bool:
        """True if every picture of the batch has its label."""
        return self.place >= len(self.rows)

    def serve_batch(self) -> None:
        """Answer requests until the batch is done."""
        while not self.is_done:
            self.handle_request()

    def give(self, place: int, label: str) -> None:
        """Take the label of the picture at a place of the batch; what does not belong to it is not taken."""
        if 0 <= place < len(self.rows) and label in self.split.schema.classes:
            self.labels[self.rows[place]] = label
            self._keep(self.rows[place], label)
            self.place = place + 1

    def back(self) -> None:
        """Show the picture before again."""
        self.place = max(0, self.place - 1)

    def page(self) -> str:
        """The picture that is to be labelled, or that all are."""
        if self.is_done:
            return _whole("Done", "<p>This batch is labelled. You can close the page.</p>")
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

    def do_GET(self) -> None:
        """Show the page."""
        if self.path == self.server.path:
            self._send(self.server.page())
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Take a label, and show the next picture."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != self.server.path or not 0 <= length <= MOST_BYTES:
            self.send_error(404)
            return
        asked = {
            name: values[0] for name, values in parse_qs(self.rfile.read(length).decode("utf-8", "replace")).items()
        }
        if "back" in asked:
            self.server.back()
        elif asked.get("place", "").isdigit():
            self.server.give(int(asked["place"]), asked.get("label", ""))
        self._send(self.server.page())

    def log_message(self, *_: Any) -> None:
        """Keep the terminal for people."""

    def _send(self, page: str) -> None:
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def _keys(classes: Sequence[str]) -> list[str]:
    """The key of each class: its own name where that is one character for all, else numbers and letters in turn."""
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
