"""How a process lives: start, serve, say how it is, drain, end."""

from common.runtime.health import Health
from common.runtime.http_server import HttpServer
from common.runtime.lifecycle import Component, run_until_stopped
from common.runtime.plumbing import Plumbing, open_plumbing
from common.runtime.process import start

__all__ = [
    "Component",
    "Health",
    "HttpServer",
    "Plumbing",
    "open_plumbing",
    "run_until_stopped",
    "start",
]
