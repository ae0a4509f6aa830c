"""RemoteMonitor: tells a server of every epoch."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from lamina.callbacks import Callback

TIMEOUT = 10.0  # seconds that a server may take


class RemoteMonitor(Callback):
    """Posts the epoch, counted from 0, and its logs to a server at the end of every epoch.

    root: of the server, http or https.  path: on it.
    field: of the form that holds the JSON.
    headers: sent along.
    send_as_json: post the JSON itself, as application/json, in place of a form.

    A server that cannot be reached, or refuses, gives a warning, and training goes on.
    """

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Mapping[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if urllib.parse.urlsplit(root).scheme not in ("http", "https"):
            raise ValueError(f"RemoteMonitor posts to an http or https server, met root={root!r}")
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        told = json.dumps({"epoch": epoch, **{key: _plain(value) for key, value in (logs or {}).items()}})
        if self.send_as_json:
            body, kind = told.encode(), "application/json"
        else:
            body = urllib.parse.urlencode({self.field: told}).encode()
            kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, **(self.headers or {})}
        request = urllib.request.Request(self.root + self.path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                pass
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            warnings.warn(
                f"Warning: could not reach RemoteMonitor root server at {self.root}: {error}", stacklevel=2
            )


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
