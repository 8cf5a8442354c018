"""The pictures of the phone that the documentation shows.

`RECADO_SCREENSHOTS=docs/images` keeps them; Roboto must be installed for them to look the same.
"""

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.phones import SCHEMES, Scheme, bubbles, new_page, open_browser, open_phone
from tests.unit.simulator.world import SMS, World, open_business, open_world

SUNDAY_MORNING = datetime.fromisoformat("2026-11-22T09:12:30-03:00").timestamp()
BAKERY = [
    ("in", "Oi, bom dia! Vocês abrem domingo?"),
    ("out", "Bom dia, Ana! Abrimos sim: aos domingos, das 7h às 13h. 🥖"),
    ("in", "Que ótimo! Dá para encomendar um bolo de cenoura?"),
    (
        "out",
        (
            "Dá, sim, com um dia de antecedência.\n\n"
            "Bolo de cenoura com chocolate:\n• pequeno (8 fatias): R$ 48\n"
            "• grande (16 fatias): R$ 86"
        ),
    ),
    ("in", "O pequeno, por favor 🥕 Retiro amanhã às 8h."),
    ("out", "Combinado! Bolo de cenoura pequeno, amanhã às 8h, em nome de Ana Souza."),
    ("in", "Obrigada!"),
]


class Clock:
    """Runs like the real one, from a Sunday morning on, and can be put forward."""

    def __init__(self) -> None:
        self.ahead = SUNDAY_MORNING - time.time()

    def __call__(self) -> float:
        return time.time() + self.ahead


async def chat(world: World, clock: Clock) -> None:
    """Hold the conversation of the pictures, and let everything arrive."""
    for direction, text in BAKERY:
        if direction == "in":
            await world.write(text, profile_name="Ana Souza")
            clock.ahead += 5
        else:
            await world.send(text)
            clock.ahead += 50
        await world.settled()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_pictures_of_the_documentation_can_be_taken(
    tmp_path: Path, chromium_path: Path, scheme: Scheme
) -> None:
    folder = Path(os.environ.get("RECADO_SCREENSHOTS", tmp_path))
    clock = Clock()

    async with (
        open_browser(chromium_path) as browser,
        open_business() as business,
        open_world(tmp_path, business, clock=clock) as world,
    ):
        await world.put_sender()
        await world.put_sender(SMS)
        page = await new_page(browser, scheme)
        await open_phone(page, world)
        await chat(world, clock)
        await bubbles(page, len(BAKERY))
        await page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
        picture = await page.screenshot(path=folder / f"phone-{scheme}.png")

    assert picture.startswith(b"\x89PNG")
