"""What Twilio refuses to send, in the order in which it looks."""

import sqlite3
from urllib.parse import urlsplit

from simulator.addresses import channel_of, is_address
from simulator.create_requests import CreateCall
from simulator.opt_outs import has_opted_out
from simulator.senders import Sender, find_sender, service_senders
from simulator.twilio_errors import refusal

_LONGEST_BODY = 1600
_NO_TEMPLATE_IS_KNOWN = 21655


def permitted_sender(tx: sqlite3.Connection, call: CreateCall) -> Sender:
    """Give the sender that may send this; a `Refusal` says why there is none."""
    _check_content(call)
    sender = _sender_of(tx, call)
    _check_pair(tx, sender, call.recipient)
    return sender


def _check_content(call: CreateCall) -> None:
    if not call.recipient:
        raise refusal(21604)
    if not is_address(call.recipient):
        raise refusal(21211, call.recipient)
    if call.content_sid:
        raise refusal(_NO_TEMPLATE_IS_KNOWN)
    if not call.body and not call.media:
        raise refusal(21602)
    if len(call.body) > _LONGEST_BODY:
        raise refusal(21617)
    if call.status_callback and not _is_webhook(call.status_callback):
        raise refusal(21609, call.status_callback)


def _is_webhook(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "_" not in parts.netloc


def _sender_of(tx: sqlite3.Connection, call: CreateCall) -> Sender:
    if not call.sender and not call.service_sid:
        raise refusal(21603)
    if call.service_sid:
        return _sender_in_service(tx, call)
    sender = find_sender(tx, call.sender)
    if sender is None or sender.account_sid != call.account_sid:
        on_whatsapp = channel_of(call.sender) == "whatsapp"
        raise refusal(63007) if on_whatsapp else refusal(21606, call.sender)
    return sender


def _sender_in_service(tx: sqlite3.Connection, call: CreateCall) -> Sender:
    pool = service_senders(tx, call.account_sid, call.service_sid)
    if not pool:
        raise refusal(21705, call.service_sid)
    channel = channel_of(call.recipient)
    for sender in pool:
        if call.sender in {"", sender.address} and channel_of(sender.address) == channel:
            return sender
    raise refusal(21606, call.sender or call.service_sid)


def _check_pair(tx: sqlite3.Connection, sender: Sender, recipient: str) -> None:
    if channel_of(sender.address) != channel_of(recipient):
        raise refusal(21910)
    if sender.address == recipient:
        raise refusal(63031)
    if has_opted_out(tx, sender.address, recipient):
        raise refusal(21610)
