"""What the recipe of the image promises before anybody builds it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "deploy" / "Dockerfile").read_text()
BUILD, FINAL = re.split(r"\nFROM \$\{PYTHON_IMAGE\}\n", RECIPE)


def test_everything_is_installed_by_its_hash() -> None:
    commands = BUILD.replace("\\\n", " ").splitlines()
    installs = [line for line in commands if "pip install" in line or "python install" in line]

    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)


def test_nothing_is_run_in_the_stage_that_is_kept() -> None:
    assert re.findall(r"^(RUN|ADD)\b", FINAL, re.MULTILINE) == []


def test_it_runs_as_nobody_in_particular() -> None:
    assert "\nUSER 65532:65532\n" in FINAL


def test_signals_reach_python() -> None:
    assert 'ENTRYPOINT ["python3", "-m"]' in FINAL


def test_the_context_holds_what_is_copied_and_no_more() -> None:
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", RECIPE, re.MULTILINE))

    assert let_in == copied
