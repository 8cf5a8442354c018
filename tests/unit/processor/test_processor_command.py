"""`python -m processor`."""

import os
import subprocess
import sys

import pytest


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "processor", *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say what to run: `python -m processor worker`."),
        (["dance"], "Say what to run: `python -m processor worker`."),
        (["api"], "The processor has no API yet"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_sentence(arguments: list[str], sentence: str) -> None:
    finished = run(*arguments)

    assert finished.returncode == 1
    assert sentence in finished.stderr


def test_a_wrong_setting_is_named() -> None:
    finished = run("worker", RECADO_PROCESSOR_BURST_WINDOW_SECONDS="-1")

    assert finished.returncode == 2
    assert "RECADO_PROCESSOR_BURST_WINDOW_SECONDS" in finished.stderr
