"""The phone page in a real Chromium: a person's way through it, by hand and by keyboard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.e2e.phones import SCHEMES, Scheme, bubbles, new_page, open_browser, open_phone
from tests.unit.simulator.world import (
    ANA,
    ANA_SMS,
    SMS,
    Business,
    World,
    open_business,
    open_world,
)

pytestmark = pytest.mark.timeout(120)

NARROW = ViewportSize(width=360, height=640)
LONG_WORD = "https://padaria-aurora.example/" + "pao-de-queijo-" * 30


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
    async with open_browser(chromium_path) as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> Page:
    return await new_page(browser)


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
    world: World, browser: Browser, scheme: Scheme, channel: str
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
