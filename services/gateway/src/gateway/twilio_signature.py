"""`X-Twilio-Signature`: whether Twilio signed this form for this URL.

The rule is Twilio's (twilio.com/docs/usage/webhooks/webhooks-security): HMAC-SHA1, under the Auth
Token, of the URL as configured and then each name and value of the form, sorted: as UTF-8, which
sorts as its characters do.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence

Form = Sequence[tuple[str, str]]

_DEFAULT_PORTS = {b"https": b":443", b"http": b":80"}


def is_signed(
    signature: bytes, *, urls: Sequence[bytes], form: Form, secrets: Sequence[bytes]
) -> bool:
    """Tell whether any of the secrets signed the form for any of the URLs.

    A URL is scheme, host, path and query as Twilio has them, without a fragment. Where none fits,
    each is tried again with its port left out or the default one put in, since Twilio does either.
    """
    tail = _signed_form(form)
    return any(
        hmac.compare_digest(signature, _sign(url + tail, secret))
        for candidates in (urls, _other_ports(urls))
        for url in candidates
        for secret in secrets
        if secret  # anybody can sign with an empty one
    )


def sign(url: bytes, form: Form, secret: bytes) -> bytes:
    """Return the signature that Twilio would send."""
    return _sign(url + _signed_form(form), secret)


def _sign(signed: bytes, secret: bytes) -> bytes:
    return b64encode(hmac.digest(secret, signed, "sha1"))


def _signed_form(form: Form) -> bytes:
    # a set: where a name comes more than once, Twilio's libraries sign each of its values once
    return "".join([name + value for name, value in sorted(set(form))]).encode()


def _other_ports(urls: Iterable[bytes]) -> Iterator[bytes]:
    for url in urls:
        scheme, _, rest = url.partition(b"://")
        authority, slash, path = rest.partition(b"/")
        host, colon, port = authority.rpartition(b":")
        if not colon or not port.isdigit():  # no port, or an IPv6 address without one
            host, port = authority, b""
        yield scheme + b"://" + host + (b"" if port else _DEFAULT_PORTS[scheme]) + slash + path
