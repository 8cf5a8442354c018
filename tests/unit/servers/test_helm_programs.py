"""Helm comes from wheels that the lock names, or not at all."""

from pathlib import Path

import pytest

from tests.servers import helm
from tests.servers.processes import ServerMissingError


@pytest.fixture(autouse=True)
def kept_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "helm"
    folder.mkdir()
    monkeypatch.setattr(helm, "KEPT_IN", folder)
    return folder


def test_a_missing_helm_is_an_error_that_says_what_to_run() -> None:
    with pytest.raises(ServerMissingError, match=r"python -m tests\.servers install"):
        helm.find_program("helm4")


def test_programs_of_another_lock_are_fetched_anew(kept_in: Path) -> None:
    (kept_in / helm.LOCK.name).write_text("another==1.0")
    assert not helm.are_kept()

    (kept_in / helm.LOCK.name).write_bytes(helm.LOCK.read_bytes())

    assert helm.find_program("helm3") == kept_in / "helm3"
