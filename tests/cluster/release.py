"""One release of the chart, by one Helm."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.image import REPOSITORY, TAG
from tests.cluster.kubernetes import Namespace, command

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "recado"
OURS = {"image": {"repository": REPOSITORY, "tag": TAG}}
WAITING = ("--wait", "--timeout=4m")
NAME = "recado"


class Release:
    """`recado` in a namespace. Every verb waits until it is done."""

    def __init__(self, program: str, place: Namespace, values: Mapping[str, Any]) -> None:
        self.program = program
        self._place = place
        self._values = {**OURS, **values}

    def install(self) -> None:
        self._helm("install", NAME, str(CHART), *WAITING, "--values=-")

    def upgrade(self, **changes: object) -> None:
        self._helm("upgrade", NAME, str(CHART), *WAITING, "--values=-", **changes)

    def roll_back(self) -> None:
        self._helm("rollback", NAME, *WAITING)

    def test(self) -> None:
        self._helm("test", NAME, "--timeout=2m")

    def uninstall(self) -> None:
        self._helm("uninstall", NAME, *WAITING)
        self._place.wait_until_empty(NAME)

    def operate(self, *verb: str, secrets: Mapping[str, Mapping[str, str]] | None = None) -> str:
        """Run a verb of `recado` as docs/operations.md says, and return what it printed."""
        only = ("--show-only", "templates/operator/pod.yaml", "--values=-")
        asked = {"args": list(verb), "secretEnv": dict(secrets or {})}
        rendered = self._helm("template", NAME, str(CHART), *only, operator=asked)
        self._place.kubectl("apply", "--filename=-", given=rendered)
        printed = self._place.wait_for_end(f"{NAME}-operator")
        self._place.kubectl("delete", "pod", f"{NAME}-operator")
        return printed.strip()

    def _helm(self, *arguments: str, **changes: object) -> str:
        place = f"--namespace={self._place.name}"
        given = json.dumps({**self._values, **changes})
        return command(self.program, *arguments, place, given=given)
