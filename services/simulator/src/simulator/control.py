"""The simulator's own API: set up numbers, write as a customer, order faults, judge.

It has no sign-in: whoever reaches it is every customer and every operator of this little world.
"""

import sqlite3
from typing import Annotated

from fastapi import APIRouter, HTTPException, status
from pydantic import AfterValidator, AnyHttpUrl, BaseModel, ConfigDict, Field

from simulator.addresses import is_address
from simulator.bell import Bell
from simulator.conversation import Bubble, messages_after
from simulator.fault_rows import fault_plan, put_fault_plan
from simulator.faults import FaultPlan
from simulator.judgement import Judgement, judgement
from simulator.ledger import Ledger
from simulator.messages import Media
from simulator.senders import Sender, put_account, put_sender, senders
from simulator.write_as_customer import CustomerMessage, NoSuchSenderError, WriteAsCustomer


def _address(value: str) -> str:
    if not is_address(value):
        msg = "must be a phone number such as +5511999990001, with whatsapp: before it for WhatsApp"
        raise ValueError(msg)
    return value


def _url(value: str) -> str:
    AnyHttpUrl(value)
    return value


Address = Annotated[str, AfterValidator(_address)]
Url = Annotated[str, AfterValidator(_url), Field(description="Kept and signed as it stands.")]
AccountSid = Annotated[str, Field(pattern="^AC[0-9a-fA-F]{32}$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PutSender(_Request):
    """A number as its owner sets it up with Twilio."""

    address: Address
    account_sid: AccountSid
    auth_token: str = Field(min_length=1)
    api_keys: dict[str, str] = Field(default={}, description="Key SID to secret.")
    webhook_url: Url
    status_callback: Url | None = None
    name: str | None = Field(default=None, description="The business, as the phone shows it.")
    service_sid: str | None = Field(default=None, pattern="^MG[0-9a-fA-F]{32}$")


class SenderShown(BaseModel):
    """A sender without its secrets."""

    address: str
    account_sid: str
    name: str | None


class MediaWritten(_Request):
    """A file, by its address; the simulator keeps no content."""

    url: Url
    content_type: str


class Writing(_Request):
    """What a customer sends."""

    source: Address = Field(alias="from")
    to: Address
    text: str = Field(max_length=4096)
    media: list[MediaWritten] = Field(default=[], max_length=10)
    profile_name: str | None = None
    fields: dict[str, str] = Field(
        default={}, description="Added to the webhook's form, such as `Latitude`."
    )


class Written(BaseModel):
    """Twilio's id of the message."""

    sid: str


class Conversation(BaseModel):
    """Messages in the order of their arrival, each as it stands."""

    messages: list[Bubble]


class Control:
    """The routes, over one ledger."""

    def __init__(self, ledger: Ledger, write: WriteAsCustomer, bell: Bell) -> None:
        self._ledger = ledger
        self._write = write
        self._bell = bell

    def router(self) -> APIRouter:
        """Make the router."""
        router = APIRouter(prefix="/simulator", tags=["simulator"])
        router.post("/senders", status_code=status.HTTP_204_NO_CONTENT)(self.put_sender)
        router.get("/senders")(self.list_senders)
        router.post("/messages", status_code=status.HTTP_201_CREATED)(self.write_message)
        router.get("/messages")(self.read_conversation)
        router.get("/faults")(self.read_faults)
        router.put("/faults")(self.put_faults)
        router.delete("/faults")(self.clear_faults)
        router.get("/ledger")(self.read_ledger)
        return router

    async def put_sender(self, request: PutSender) -> None:
        """Add a sender and its account, or change them; doing it again changes nothing."""
        sender = Sender(
            address=request.address,
            account_sid=request.account_sid,
            webhook_url=request.webhook_url,
            status_callback=request.status_callback,
            name=request.name,
            service_sid=request.service_sid,
        )

        def work(tx: sqlite3.Connection) -> None:
            put_account(tx, request.account_sid, request.auth_token, request.api_keys)
            put_sender(tx, sender)

        await self._ledger.transaction(work)

    async def list_senders(self) -> list[SenderShown]:
        """List the numbers that customers can write to."""
        found = await self._ledger.read(senders)
        return [
            SenderShown(address=each.address, account_sid=each.account_sid, name=each.name)
            for each in found
        ]

    async def write_message(self, request: Writing) -> Written:
        """Write as a customer. The webhook is posted afterwards."""
        written = CustomerMessage(
            contact=request.source,
            sender=request.to,
            text=request.text,
            media=tuple(
                Media(url=each.url, content_type=each.content_type) for each in request.media
            ),
            profile_name=request.profile_name,
            fields=request.fields,
        )
        try:
            message = await self._ledger.transaction(lambda tx: self._write(tx, written))
        except NoSuchSenderError:
            raise HTTPException(
                status.HTTP_404_NOT_FOUND, f"No sender {request.to} for {request.source}."
            ) from None
        self._bell.ring()
        return Written(sid=message.sid)

    async def read_conversation(
        self, contact: str, sender: str, after: str | None = None
    ) -> Conversation:
        """Read what a contact and a sender wrote, or only what came after the message `after`."""
        messages = await self._ledger.read(
            lambda tx: messages_after(tx, sender=sender, contact=contact, sid=after)
        )
        return Conversation(messages=messages)

    async def read_faults(self) -> FaultPlan:
        """Read the plan: counts show what is left of them."""
        return await self._ledger.read(fault_plan)

    async def put_faults(self, plan: FaultPlan) -> FaultPlan:
        """Replace the plan as a whole."""
        await self._ledger.transaction(lambda tx: put_fault_plan(tx, plan))
        return plan

    async def clear_faults(self) -> FaultPlan:
        """Let everything go well again."""
        return await self.put_faults(FaultPlan())

    async def read_ledger(self) -> Judgement:
        """Read everything that happened, for a test to judge."""
        return await self._ledger.read(judgement)
