"""The pages that the code writes say what the code says."""

from pathlib import Path

import pytest

from recado.reference import reference_pages
from recado.settings import PROCESSES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", reference_pages(PROCESSES))
def test_a_generated_page_is_current(page: str) -> None:
    written = (ROOT / page).read_text()

    assert written == reference_pages(PROCESSES)[page], "run `.venv/bin/recado reference`"


def test_every_variable_has_a_meaning_and_none_shows_a_secret() -> None:
    page = reference_pages(PROCESSES)["docs/configuration.md"]
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `RECADO")]

    assert len(rows) > 40
    assert [row[0] for row in rows if not row[3].strip(" |")] == []
