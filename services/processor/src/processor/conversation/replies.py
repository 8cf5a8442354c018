"""A finished reply: the message that is stored, and the command that sends it. Pure."""

from datetime import datetime

from common.events import Channel, Event, SendMessage
from common.ids import Ulid, new_id
from processor.conversation.models import OUTBOUND, Conversation, Message, storable


def reply_in(
    conversation: Conversation,
    *,
    turn: Ulid,
    correlation: Ulid,
    text: str,
    assistant: str,
    now: datetime,
) -> Message:
    """Write the conversation's next message; it keeps which `assistant` wrote it."""
    return Message(
        tenant_id=conversation.tenant_id,
        id=new_id(),
        conversation_id=conversation.id,
        seq=conversation.next_seq,
        direction=OUTBOUND,
        account_id=conversation.account_id,
        correlation_id=correlation,
        text=storable(text),
        media=[],
        attributes={"assistant": assistant},
        sent_at=now,
        stored_at=now,
        turn_id=turn,
    )


def command_to_send(
    reply: Message, conversation: Conversation, *, not_after: datetime
) -> Event[SendMessage]:
    """Tell the notifier. One reply is one command, so that it has the reply's id."""
    payload = SendMessage(
        message=reply.id,
        account=reply.account_id,
        channel=Channel(conversation.channel),
        sender=conversation.sender,
        recipient=conversation.recipient,
        text=reply.text,
        not_after=not_after,
    )
    return Event[SendMessage].of(
        payload,
        source="processor",
        tenant=reply.tenant_id,
        correlation=reply.correlation_id,
        event_id=reply.id,
    )
