"""How often and how patiently a webhook is posted."""

import asyncio
import socket
import time

import pytest

from simulator.deliveries import Attempt
from simulator.webhooks import Webhook, open_webhooks
from tests.unit.simulator.world import Business

FORM = {"MessageSid": "SM1", "Body": ""}


async def attempts(url: str, *, retry_pause: float = 0.01) -> list[Attempt]:
    webhook = Webhook(url=url, form=FORM, auth_token="token", token="t" * 32)
    async with open_webhooks(retry_pause=retry_pause, clock=time.time) as webhooks:
        return [attempt async for attempt in webhooks.post(webhook)]


def outcomes(made: list[Attempt]) -> list[int | str | None]:
    return [attempt.status_code or attempt.failure for attempt in made]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def test_a_webhook_that_is_answered_is_posted_once(business: Business) -> None:
    made = await attempts(f"{business.url}/hook#rc=5&rp=all")

    assert outcomes(made) == [200]
    assert business.received[0].form == FORM


async def test_by_default_an_error_is_final(business: Business) -> None:
    business.answers = [500]

    assert outcomes(await attempts(f"{business.url}/hook")) == [500]


async def test_by_default_a_connection_that_fails_is_tried_once_more(closed_port: int) -> None:
    assert outcomes(await attempts(f"http://127.0.0.1:{closed_port}/hook")) == ["ct", "ct"]


async def test_errors_are_retried_as_often_as_the_fragment_says(business: Business) -> None:
    business.answers = [503, 500, 503, 503]

    made = await attempts(f"{business.url}/hook#rc=2&rp=5xx")

    assert outcomes(made) == [503, 500, 503]


async def test_retries_end_with_the_first_answer_that_is_good(business: Business) -> None:
    business.answers = [503, 204]

    assert outcomes(await attempts(f"{business.url}/hook#rc=5&rp=5xx,ct,rt")) == [503, 204]


async def test_a_retry_is_the_same_delivery_to_its_receiver(business: Business) -> None:
    business.answers = [503]

    await attempts(f"{business.url}/hook#rc=1&rp=5xx")

    first, second = business.received
    assert first.form == second.form
    assert (
        first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]
    )


async def test_silence_is_waited_for_as_long_as_the_fragment_says(business: Business) -> None:
    business.hold = asyncio.Event()
    began = time.monotonic()

    made = await attempts(f"{business.url}/hook#rc=1&rp=rt&rt=200")

    assert outcomes(made) == ["rt", "rt"]
    assert 0.4 <= time.monotonic() - began < 14


async def test_all_attempts_together_end_in_the_total_time(business: Business) -> None:
    business.hold = asyncio.Event()
    began = time.monotonic()

    made = await attempts(f"{business.url}/hook#rc=5&rp=all&rt=15000&tt=300")

    assert outcomes(made) == ["rt"]
    assert time.monotonic() - began < 14


async def test_a_pause_that_would_pass_the_total_time_is_not_begun(business: Business) -> None:
    business.answers = [503] * 6

    made = await attempts(f"{business.url}/hook#rc=5&rp=5xx&tt=500", retry_pause=0.4)

    assert outcomes(made) == [503, 503]


async def test_a_line_that_is_cut_counts_as_no_answer() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]

        made = await attempts(f"http://127.0.0.1:{port}/hook")

    assert outcomes(made) == ["rt"]


async def test_the_url_travels_as_it_was_configured(business: Business) -> None:
    path = "/a%20b/%c3%a7?d='e'&at=@&plus=+&tilde=%7E&empty="

    await attempts(f"{business.url}{path}#rc=0")

    assert business.received[0].url == f"{business.url}{path}"
