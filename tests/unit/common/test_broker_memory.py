"""What the memory transport knows of itself; the rest is what every transport is held to."""

from collections.abc import Collection

from common.broker.memory import MemoryTransport
from common.events import DELIVERIES_UPDATED, MESSAGES_RECEIVED, encode
from common.testing.broker import message

TOPIC = MESSAGES_RECEIVED.name


async def nothing_to_let_go_of(_shards: Collection[str]) -> None: ...


async def test_what_waits_is_what_nobody_was_handed_yet_and_this_consumer_may_come_to_take() -> (
    None
):
    transport = MemoryTransport()
    for contact in ("+1", "+1", "+1", "+2", "+2", "+3"):
        await transport.publish(encode(message(contact)))

    async with (
        transport.subscribe("processor", [MESSAGES_RECEIVED], nothing_to_let_go_of) as one,
        transport.subscribe("processor", [MESSAGES_RECEIVED], nothing_to_let_go_of) as other,
        transport.subscribe("processor", [DELIVERIES_UPDATED], nothing_to_let_go_of) as foreign,
    ):
        before = await one.waiting()
        (held,) = await one.fetch(1)
        await other.fetch(1)
        meanwhile = await one.waiting(), await other.waiting()
        await one.acknowledge([held])
        afterwards = await one.waiting()
        of_another_topic = await foreign.waiting()

    assert before == {TOPIC: 6}
    assert meanwhile == ({TOPIC: 2 + 1}, {TOPIC: 1 + 1})
    assert afterwards == {TOPIC: 2 + 1}
    assert of_another_topic == {}
