"""A real Chromium that shows the phone page."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.unit.simulator.world import World

PHONE = ViewportSize(width=390, height=844)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@asynccontextmanager
async def open_browser(executable: Path) -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable)
        yield browser
        await browser.close()


async def new_page(browser: Browser, scheme: Scheme = "light") -> Page:
    context = await browser.new_context(
        viewport=PHONE, color_scheme=scheme, timezone_id="America/Sao_Paulo", device_scale_factor=2
    )
    return await context.new_page()


async def open_phone(page: Page, world: World) -> None:
    await page.goto(f"{world.url}/phone")
    await expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")


async def bubbles(page: Page, count: int) -> None:
    await expect(page.locator(".bubble")).to_have_count(count)
