"""Faults on demand: what a test asks to go wrong, and the draw that says whether it does this time.

The plan is a value. Drawing gives the plan that is left, so that a count runs out, and a rate with
the same seed gives the same sequence again.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from simulator.statuses import Step


class CreateFault(StrEnum):
    """What may go wrong with a POST to the Messages resource."""

    TIMEOUT_BEFORE_ACCEPT = "timeout_before_accept"
    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    RESET_BEFORE_ACCEPT = "reset"
    RESET_AFTER_ACCEPT = "reset_after_accept"
    TOO_MANY_REQUESTS = "429"
    ERROR_BEFORE_ACCEPT = "500_before_accept"
    ERROR_AFTER_ACCEPT = "500_after_accept"

    @property
    def accepts(self) -> bool:
        """Whether the message is sent all the same."""
        return self.value.endswith("_after_accept")


class CallbackFault(StrEnum):
    """What may go wrong with a status callback."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    DROP = "drop"


class InboundFault(StrEnum):
    """What may go wrong with the webhook of a customer's message."""

    DUPLICATE = "duplicate"


class ListFault(StrEnum):
    """What may go wrong with the list of messages: one shows up late."""

    DELAY = "delay"


class Odds(BaseModel):
    """The next so many times, and after that at a rate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    next: int = Field(default=0, ge=0)
    rate: float = Field(default=0.0, ge=0, le=1)


class FaultPlan(BaseModel):
    """Everything that shall go wrong. Where several faults could, the first named one does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create: dict[CreateFault, Odds] = {}
    callbacks: dict[CallbackFault, Odds] = {}
    inbound: dict[InboundFault, Odds] = {}
    list: dict[ListFault, Odds] = {}
    retry_after_seconds: int = Field(default=1, ge=0, description="`Retry-After` of a 429.")
    hang_seconds: float = Field(default=60, ge=0, description="How long a time-out holds the line.")
    list_delay_seconds: float = Field(default=5, ge=0)
    seed: int | None = Field(default=None, description="Instead of the seed in the settings.")
    drawn: int = Field(default=0, ge=0, description="Draws at a rate so far.")


Fault = TypeVar("Fault", CreateFault, CallbackFault, InboundFault, ListFault)


class Draw:
    """Draws from a plan for the length of one transaction; `plan` is what is left of it."""

    def __init__(self, plan: FaultPlan, *, seed: int) -> None:
        self.plan = plan
        self._seed = seed if plan.seed is None else plan.seed

    def create(self) -> CreateFault | None:
        """Say what happens to this create call."""
        return self._draw("create", self.plan.create)

    def callback(self) -> CallbackFault | None:
        """Say what happens to this status callback."""
        return self._draw("callbacks", self.plan.callbacks)

    def inbound(self) -> InboundFault | None:
        """Say what happens to this webhook of a customer's message."""
        return self._draw("inbound", self.plan.inbound)

    def list(self) -> ListFault | None:
        """Say what happens to this message's place in the list."""
        return self._draw("list", self.plan.list)

    def _draw(self, section: str, odds: Mapping[Fault, Odds]) -> Fault | None:
        for fault, chance in odds.items():
            if chance.next:
                left = chance.model_copy(update={"next": chance.next - 1})
                self._keep({section: {**odds, fault: left}})
                return fault
            if chance.rate and self._number() < chance.rate:
                return fault
        return None

    def _number(self) -> float:
        number = random.Random(f"{self._seed}/{self.plan.drawn}").random()  # noqa: S311
        self._keep({"drawn": self.plan.drawn + 1})
        return number

    def _keep(self, change: Mapping[str, object]) -> None:
        self.plan = self.plan.model_copy(update=change)


@dataclass(frozen=True, slots=True)
class Callback:
    """One posting of a status at a time: in order and once each, unless a fault says otherwise."""

    step: Step
    after: float
    fault: CallbackFault | None = None


def plan_callbacks(
    steps: Sequence[Step], draw: Callable[[], CallbackFault | None]
) -> list[Callback]:
    """Lay the callbacks of one message out in time.

    The moments stay; a reordered status swaps moments with the next one. The last has no next.
    """
    callbacks = [Callback(step, step.after, draw()) for step in steps]
    here = 0
    while here < len(callbacks) - 1:
        first, second = callbacks[here : here + 2]
        if first.fault is CallbackFault.REORDER:
            callbacks[here] = replace(second, after=first.after)
            callbacks[here + 1] = replace(first, after=second.after)
            here += 1
        here += 1
    return [
        callback
        for planned in callbacks
        for callback in [planned] * (2 if planned.fault is CallbackFault.DUPLICATE else 1)
    ]
