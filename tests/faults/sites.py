"""Where runs take place, by the transport that the product uses there."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

from tests.faults.one_process import one_process
from tests.faults.run import Site
from tests.faults.services import servers, services


@contextmanager
def site(transport: str) -> Generator[Site]:
    """Keep up what all runs share."""
    if transport == "sqlite":
        yield Site(one_process, at_once=2, shared=False)
        return
    with servers() as running:
        yield Site(partial(services, running), at_once=2, shared=True)
