"""HTTP to a process of ours on this machine, from a test's own thread."""

import json
import urllib.error
import urllib.request
from typing import Any


def status_of(url: str) -> int | None:
    """The status of a page; None where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def call(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - what JSON holds
    """Send JSON and return the JSON that comes back, None where nothing does."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read() or b"null")
