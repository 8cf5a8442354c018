"""The phone page over the whole product: a person types, and the bakery answers."""

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize, async_playwright, expect

from tests.servers.processes import Server

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[str]:
    """The address of the phone of a running `recado dev`."""
    facts = tmp_path / "dev.json"
    command = [sys.executable, "-m", "recado", "dev", "--port", "0", "--data", str(tmp_path)]
    server = Server(command, log=tmp_path / "dev.log")
    server.wait_until(facts.exists, seconds=60)
    yield json.loads(facts.read_text())["simulator_url"] + "/phone"
    server.end(signal.SIGINT)


async def test_what_a_person_types_is_answered_as_a_bubble_with_its_delivery_status(
    phone: str, chromium_path: Path
) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path)
        page = await browser.new_page(viewport=ViewportSize(width=360, height=740))
        await page.goto(phone)

        await page.get_by_label("Message").fill("Vocês abrem domingo?")
        await page.keyboard.press("Enter")

        reply = page.locator(".theirs")
        await expect(reply.locator(".text")).to_contain_text("7h às 13h", timeout=20_000)
        await expect(reply.locator(".ticks")).to_have_attribute("data-mark", "read", timeout=20_000)
        await browser.close()
