"""How we make ourselves known to Kafka, and know Kafka: nothing, TLS, a password, a certificate."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import StartError
from common.settings import BrokerSettings


@dataclass(frozen=True, slots=True)
class Security:
    """What each connection begins with."""

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    context: ssl.SSLContext | None = None
    certificate: Path | None = None

    @property
    def who(self) -> str:
        """Name us as the broker's rights do."""
        if self.username:
            return f"user {self.username}"
        return "user ANONYMOUS" if self.certificate is None else "the owner of our certificate"

    @property
    def options(self) -> dict[str, Any]:
        """What aiokafka's clients and connections take."""
        options: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.context}
        if self.mechanism:
            options |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


PLAIN = Security()


def read_security(settings: BrokerSettings, *, strict: bool) -> Security:
    """Read the files that the settings name.

    Raises `StartError` for what is missing or does not fit, and for a password that would travel
    readable where we are `strict`.
    """
    signs_in = settings.security.startswith("SASL_")
    encrypts = settings.security.endswith("SSL")
    _refuse_halves(settings, signs_in=signs_in, encrypts=encrypts)
    if signs_in and not encrypts and strict:
        raise StartError(
            "Set RECADO_BROKER_SECURITY to SASL_SSL: with SASL_PLAINTEXT whoever listens on the "
            "way reads what would open the broker, which is refused outside development."
        )
    return Security(
        protocol=settings.security,
        mechanism=settings.mechanism if signs_in else "",
        username=settings.username or "",
        password=settings.password.get_secret_value() if settings.password else "",
        context=_context(settings) if encrypts else None,
        certificate=settings.certificate_file,
    )


def _refuse_halves(settings: BrokerSettings, *, signs_in: bool, encrypts: bool) -> None:
    named = settings.username is not None and settings.password is not None
    if signs_in and not named:
        raise StartError(
            f"Set RECADO_BROKER_USERNAME and RECADO_BROKER_PASSWORD: {settings.security} asks for "
            "both."
        )
    if not signs_in and (settings.username is not None or settings.password is not None):
        raise StartError(
            f"RECADO_BROKER_SECURITY is {settings.security}, which signs nobody in. Set it to "
            "SASL_SSL, or leave RECADO_BROKER_USERNAME and RECADO_BROKER_PASSWORD out."
        )
    files = (settings.ca_file, settings.certificate_file, settings.key_file)
    if not encrypts and any(files):
        raise StartError(
            f"RECADO_BROKER_SECURITY is {settings.security}, which encrypts nothing. Set it to SSL "
            "or SASL_SSL, or leave RECADO_BROKER_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE out."
        )
    if settings.key_file is not None and settings.certificate_file is None:
        raise StartError("Set RECADO_BROKER_CERTIFICATE_FILE, whose key RECADO_BROKER_KEY_FILE is.")


def _context(settings: BrokerSettings) -> ssl.SSLContext:
    for name in ("ca_file", "certificate_file", "key_file"):
        _refuse_unreadable(f"RECADO_BROKER_{name.upper()}", getattr(settings, name))
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError as error:
        raise StartError(
            f"RECADO_BROKER_CA_FILE, {settings.ca_file}, holds no certificate in PEM form."
        ) from error
    if settings.certificate_file is not None:
        _load_certificate(context, settings.certificate_file, settings.key_file)
    return context


def _refuse_unreadable(variable: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        path.read_bytes()
    except OSError as error:
        raise StartError(f"{variable}, {path}, cannot be read: {error.strerror}.") from error


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    try:
        # without a password of ours OpenSSL would ask for one on the terminal
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise StartError(
                f"RECADO_BROKER_KEY_FILE, {key}, is not the key of the certificate in "
                f"RECADO_BROKER_CERTIFICATE_FILE, {certificate}."
            ) from error
        raise StartError(
            f"RECADO_BROKER_CERTIFICATE_FILE, {certificate}, and its key must be in PEM form, the "
            "key not encrypted."
        ) from error
