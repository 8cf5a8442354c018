"""Channel accounts as the notifier needs them: open, or worth waiting for."""

from collections.abc import Awaitable

from common.accounts import ChannelAccount
from common.errors import DependencyDown, PermanentError
from common.ids import Ulid


async def opened(reading: Awaitable[ChannelAccount | None], account: Ulid) -> ChannelAccount | None:
    """Wait for a channel account.

    Raises `DependencyDown` also where its secrets do not open: nothing is wrong with what is to be
    sent, and it goes once the key is right.
    """
    try:
        return await reading
    except PermanentError as error:
        raise DependencyDown(f"channel account {account}", str(error)) from error
