"""The browser that tests of pages drive."""

import os
import shutil
from pathlib import Path

from tests.servers.processes import ServerMissingError

ADDRESS = "RECADO_TEST_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> Path:
    """The executable that the environment names, else the system's."""
    for name in filter(None, (os.environ.get(ADDRESS), *NAMES)):
        if found := shutil.which(name):
            return Path(found)
    raise ServerMissingError(
        "Chromium is not installed: run `.venv/bin/python -m tests.servers install`, "
        f"or set {ADDRESS} to its path"
    )
