"""`X-Twilio-Signature`, from Twilio's side (twilio.com/docs/usage/webhooks/webhooks-security)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """Sign the URL as it was configured, without its fragment, and the form's decoded values.

    Names are sorted by code point, and nothing separates names from values.
    """
    signed = url.partition("#")[0] + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
