"""A turn for assistants to answer."""

from common.events import Channel
from common.ids import new_id
from processor.assistant import Said, TurnContext
from processor.assistant.choice import ModelChoice


def turn_context(
    *unanswered: str, history: tuple[Said, ...] = (), model: ModelChoice | None = None
) -> TurnContext:
    return TurnContext(
        tenant=new_id(),
        conversation=new_id(),
        contact=new_id(),
        turn=new_id(),
        correlation=new_id(),
        channel=Channel.WHATSAPP,
        business="Padaria Estrela",
        language="pt",
        history=history,
        unanswered=unanswered or ("Vocês abrem domingo?",),
        model=model,
    )
