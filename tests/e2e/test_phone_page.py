"""The phone page in a real Chromium: a person's way through it, by hand and by keyboard.

`RECADO_SCREENSHOTS=docs/images` keeps the pictures of the page that the documentation shows.
"""

import os
import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.unit.simulator.world import (
    ANA,
    ANA_SMS,
    SMS,
    Business,
    World,
    open_business,
    open_world,
)

NARROW = ViewportSize(width=360, height=640)
PHONE = ViewportSize(width=390, height=844)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SUNDAY_MORNING = datetime.fromisoformat("2026-11-22T09:12:30-03:00").timestamp()
LONG_WORD = "https://padaria-aurora.example/" + "pao-de-queijo-" * 30
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


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    async with open_business() as business:
        yield business


@pytest.fixture
async def world(tmp_path: Path, business: Business) -> AsyncIterator[World]:
    """A bakery with a WhatsApp number and an SMS number."""
    async with open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        yield world


@pytest.fixture
async def browser(chromium_path: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await new_page(browser)


async def new_page(browser: Browser, scheme: Literal["light", "dark"] = "light") -> Page:
    context = await browser.new_context(
        viewport=PHONE, color_scheme=scheme, timezone_id="America/Sao_Paulo", device_scale_factor=2
    )
    return await context.new_page()


async def open_phone(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/phone")
    await expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")


async def bubbles(page: Page, count: int) -> None:
    await expect(page.locator(".bubble")).to_have_count(count)


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


async def test_a_person_writes_and_sees_the_reply_and_what_became_of_both(
    world: World, page: Page
) -> None:
    await open_phone(page, world)

    await page.get_by_label("Message").fill("Vocês abrem domingo?")
    await page.get_by_role("button", name="Send").click()
    await bubbles(page, 1)
    await world.send("Abrimos das 7h às 13h.")

    await expect(page.locator(".mine .text")).to_have_text("Vocês abrem domingo?")
    await expect(page.locator(".mine .ticks")).to_have_attribute("data-mark", "delivered")
    await expect(page.locator(".theirs .text")).to_have_text("Abrimos das 7h às 13h.")
    await expect(page.locator(".theirs .ticks")).to_have_attribute("data-mark", "read")
    assert world.business.received[0].form["ProfileName"] == "Ana Souza"


async def test_the_keyboard_is_enough(world: World, page: Page) -> None:
    await open_phone(page, world)
    focused = page.locator(":focus")

    await expect(focused).to_have_id("text")
    await page.keyboard.type("Bom dia")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("Tudo bem?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".mine .text")).to_have_text("Bom dia\nTudo bem?")
    stops: list[str | None] = []
    for _ in range(3):
        await page.keyboard.press("Shift+Tab")
        stops.append(await focused.get_attribute("id") or await focused.get_attribute("name"))
    await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")

    assert stops == ["log", "contacts", "channel"]
    await expect(page.get_by_label("You are")).to_have_value("Bruno Lima · +55 11 99999-0002")
    await bubbles(page, 0)
    assert world.business.texts() == ["Bom dia\nTudo bem?"]


async def test_the_focus_is_seen(world: World, page: Page) -> None:
    await open_phone(page, world)

    for _ in range(5):
        await page.keyboard.press("Tab")
        outlined = await page.evaluate(
            "() => [document.activeElement, document.activeElement.nextElementSibling].some("
            "(one) => one && getComputedStyle(one).outlineStyle === 'solid')"
        )
        assert outlined or await page.evaluate("document.activeElement === document.body")


async def test_nothing_scrolls_sideways_at_360_pixels(world: World, page: Page) -> None:
    await world.put_sender(name="Padaria e Confeitaria Aurora da Vila Madalena e Pinheiros")
    await page.set_viewport_size(NARROW)
    await world.write(LONG_WORD)
    await world.send("W" * 200)
    await open_phone(page, world)
    await bubbles(page, 2)

    wide = await page.evaluate(
        "[...document.querySelectorAll('html, body, main, #log')]"
        ".filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.tagName)"
    )

    assert wide == []


@pytest.mark.parametrize("channel", ["WhatsApp", "SMS"])
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_nothing_serious(
    world: World, browser: Browser, scheme: Literal["light", "dark"], channel: str
) -> None:
    contact = ANA if channel == "WhatsApp" else ANA_SMS
    await world.write("Oi", contact)
    await world.send("Olá!", contact)
    await world.settled()
    world.business.answers = [404]
    await world.write("Alguém aí?", contact)
    await world.settled()
    page = await new_page(browser, scheme)
    await open_phone(page, world)
    await page.get_by_role("radio", name=channel).check()
    await bubbles(page, 3)
    await page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")

    results = await Axe().run(page)

    found = results.response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if severe(one["impact"])] == []
    assert len(results.response["passes"]) > 10


def severe(impact: str) -> bool:
    return impact in {"serious", "critical"}


async def test_axe_would_notice(world: World, page: Page) -> None:
    await open_phone(page, world)
    await page.evaluate("document.querySelector('label[for=text]').remove()")
    await page.evaluate("document.getElementById('text').placeholder = ''")

    results = await Axe().run(page)

    assert "label" in [one["id"] for one in results.response["violations"]]


async def test_what_strangers_write_is_text_and_nothing_else(world: World, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    await world.put_sender(name=evil)
    await world.put_sender(SMS, name=evil)
    await world.write(evil)
    await open_phone(page, world)

    await expect(page.locator(".mine .text")).to_have_text(evil)
    await expect(page.get_by_role("heading")).to_have_text(evil)
    assert await page.locator("img, ol script").count() == 0
    assert complaints == []


async def test_the_page_asks_nobody_else_and_its_rules_are_strict(world: World, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    answer = await page.goto(f"{world.url}/phone")
    await expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")

    assert answer is not None
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert len(asked) > 4
    assert [url for url in asked if not url.startswith(f"{world.url}/")] == []


async def test_a_message_the_webhook_refused_says_so(world: World, page: Page) -> None:
    world.business.answers = [503]
    await open_phone(page, world)

    await page.get_by_label("Message").fill("Oi")
    await page.keyboard.press("Enter")

    await expect(page.locator(".mine .detail")).to_have_text("not delivered: 503")


async def test_a_reply_that_failed_shows_its_error_code(world: World, page: Page) -> None:
    await open_phone(page, world)

    await world.send("Saudades!")

    await expect(page.locator(".theirs.failed .detail")).to_have_text("undelivered: 63016")


async def test_every_contact_and_channel_has_a_conversation_of_its_own(
    world: World, page: Page
) -> None:
    await world.write("pelo WhatsApp")
    await world.write("por SMS", ANA_SMS)
    await open_phone(page, world)
    texts = page.locator(".text")

    await expect(texts).to_have_text(["pelo WhatsApp"])
    await page.get_by_role("radio", name="SMS").check()
    await expect(texts).to_have_text(["por SMS"])
    await page.reload()
    await expect(texts).to_have_text(["por SMS"])
    await page.get_by_label("You are").select_option(index=1)
    await expect(page.get_by_text("Write to Padaria Aurora.")).to_be_visible()


async def test_with_one_channel_there_is_nothing_to_choose(tmp_path: Path, page: Page) -> None:
    async with open_business() as business, open_world(tmp_path, business) as world:
        await world.put_sender(SMS)
        await open_phone(page, world)

        await expect(page.get_by_role("radio")).to_have_count(0)
        await expect(page.get_by_text("+55 11 4002-8922 · SMS")).to_be_visible()


async def test_messages_stay_in_their_order_when_the_page_is_opened_again(
    world: World, page: Page
) -> None:
    await world.write("primeira")
    await world.settled()
    await world.send("segunda")
    await world.write("terceira")
    await world.settled()

    await open_phone(page, world)

    await expect(page.locator(".text")).to_have_text(["primeira", "segunda", "terceira"])


async def test_the_page_comes_back_by_itself_after_the_simulator_was_away(
    tmp_path: Path, business: Business, page: Page
) -> None:
    async with open_world(tmp_path, business) as world:
        await world.put_sender()
        await world.write("antes")
        await open_phone(page, world)
        await bubbles(page, 1)
    notice = page.get_by_role("status")
    await expect(notice).to_have_text("Connection lost. Reconnecting …")

    async with open_world(tmp_path, business, port=int(world.url.rpartition(":")[2])) as world:
        await world.write("depois")

        await expect(page.locator(".text")).to_have_text(["antes", "depois"], timeout=15_000)
        await expect(notice).to_have_text("")


async def test_a_text_that_could_not_be_sent_is_not_lost(
    tmp_path: Path, business: Business, page: Page
) -> None:
    async with open_world(tmp_path, business) as world:
        await world.put_sender()
        await open_phone(page, world)

    await page.get_by_label("Message").fill("Oi")
    await page.keyboard.press("Enter")

    await expect(page.get_by_role("alert")).to_contain_text("Not sent")
    await expect(page.get_by_label("Message")).to_have_value("Oi")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_pictures_of_the_documentation_can_be_taken(
    tmp_path: Path, business: Business, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    folder = Path(os.environ.get("RECADO_SCREENSHOTS", tmp_path))
    clock = Clock()

    async with open_world(tmp_path, business, clock=clock) as world:
        await world.put_sender()
        await world.put_sender(SMS)
        page = await new_page(browser, scheme)
        await open_phone(page, world)
        await chat(world, clock)
        await bubbles(page, len(BAKERY))
        await page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished))")
        picture = await page.screenshot(path=folder / f"phone-{scheme}.png")

    assert picture.startswith(b"\x89PNG")
