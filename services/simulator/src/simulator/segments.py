"""How many SMS segments a text takes (twilio.com/docs/glossary/what-sms-character-limit)."""

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("\f^{}\\[~]|€")  # each takes two places


def count_segments(text: str) -> int:
    """Count at least one; a single character outside GSM-7 makes the whole text UCS-2."""
    characters = set(text)
    if characters <= _GSM | _GSM_EXTENDED:
        length = len(text) + sum(text.count(sign) for sign in characters & _GSM_EXTENDED)
        return _segments(length, alone=160, joined=153)
    return _segments(len(text.encode("utf-16-le", "surrogatepass")) // 2, alone=70, joined=67)


def _segments(length: int, *, alone: int, joined: int) -> int:
    return 1 if length <= alone else -(-length // joined)
