"""Says where everything is, once it is there."""

import asyncio

from recado.whereabouts import Whereabouts


class Announcement:
    """A component that speaks once, when the others serve; its file stands while they do."""

    def __init__(self, whereabouts: Whereabouts) -> None:
        """Take what there is to say."""
        self._whereabouts = whereabouts

    async def run(self, stop: asyncio.Event) -> None:
        """Set up the numbers, write the file, tell the person, and remove the file at the end."""
        await self._whereabouts.set_up_numbers()
        self._whereabouts.write()
        print(self._whereabouts.sentences(), flush=True)  # noqa: T201 - for who started it
        try:
            await stop.wait()
        finally:
            self._whereabouts.file.unlink(missing_ok=True)
