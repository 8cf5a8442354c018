"""Why no broker lets us in: aiokafka's clients only log it, so we knock ourselves and listen."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# aiokafka carries no types

import asyncio
import socket
import ssl
from collections.abc import Iterator

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from common.broker.kafka.address import Address
from common.broker.kafka.security import Security

_PATIENCE_SECONDS = 1.0
_TLS_ALERT = 0x15
"""The first byte of what a TLS server answers to who speaks plainly."""


async def why_nobody_answers(address: Address) -> str:
    """Say in a sentence what the brokers have against us, or that none is there."""
    sentences = await asyncio.gather(
        *(_knock(server, address.security) for server in address.servers)
    )
    told = [sentence for sentence in sentences if sentence]
    return told[0] if told else f"no broker answers at {address.text}"


async def _knock(server: str, security: Security) -> str | None:
    connection: AIOKafkaConnection | None = None
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            connection = await create_conn(host, int(port), **security.options)
            await connection.send(MetadataRequest([]))
    except (OSError, KafkaError, TimeoutError) as error:
        return _sentence(error, server, security, greeted=connection is not None)
    finally:
        if connection is not None:
            connection.close()
    return None


def _sentence(error: Exception, server: str, security: Security, *, greeted: bool) -> str | None:
    for cause in _causes(error):
        for read in (_of_signing_in, _of_certificates, _of_tls):
            if sentence := read(cause, server, security):
                return sentence
    if greeted and not security.mechanism:
        return (
            f"{server} hangs up on whoever does not sign in: RECADO_BROKER_SECURITY is "
            f"{security.protocol}"
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _of_signing_in(error: BaseException, server: str, security: Security) -> str | None:
    match error:
        case SaslAuthenticationFailed():
            return (
                f"{server} refused the user name {security.username} or its password "
                f"({security.mechanism})"
            )
        case UnsupportedSaslMechanismError():
            return f"{server} does not offer {security.mechanism} (RECADO_BROKER_MECHANISM)"
        case IllegalSaslStateError():
            return f"{server} signs nobody in: RECADO_BROKER_SECURITY is {security.protocol}"
        case socket.gaierror():
            return f"the name in {server} is not known"
        case _:
            return None


def _of_certificates(error: BaseException, server: str, security: Security) -> str | None:
    match error:
        case ssl.SSLCertVerificationError():
            return f"we do not trust the certificate of {server}: {error.verify_message}"
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason and "CERTIFICATE" in reason:
            if security.certificate is None:
                return f"{server} asks for a certificate (RECADO_BROKER_CERTIFICATE_FILE)"
            return f"{server} does not trust our certificate, {security.certificate}"
        case _:
            return None


def _of_tls(error: BaseException, server: str, security: Security) -> str | None:
    ours = f"RECADO_BROKER_SECURITY is {security.protocol}"
    match error:
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER"):
            return f"{server} does not speak TLS: {ours}"
        case ssl.SSLError():
            return f"TLS with {server} failed: {error.reason}"
        case ConnectionResetError() if security.context is not None:
            return f"{server} hung up on our TLS, as one that does not speak it: {ours}"
        case asyncio.IncompleteReadError(expected=int(expected)) if expected >> 24 == _TLS_ALERT:
            return f"{server} speaks TLS only: {ours}"
        case _:
            return None
