"""Twilio's refusals, with the wording of its error pages (twilio.com/docs/api/errors)."""


class Refusal(Exception):  # noqa: N818 - Twilio's answer, as good as any other
    """A request Twilio does not carry out."""

    def __init__(self, code: int, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    @property
    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


_WORDINGS: dict[int, tuple[int, str]] = {
    20001: (400, "Invalid parameter: {what}"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {what} was not found"),
    20429: (429, "Too many requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "The 'To' number {what} is not a valid phone number."),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The 'From' phone number provided ({what}) is not a valid, message-capable number.",
    ),
    21609: (400, "The 'StatusCallback' URL {what} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21655: (400, "The ContentSid is invalid."),
    21705: (400, "The Messaging Service Sid {what} is invalid."),
    21910: (400, "Invalid From and To pair. From and To should be of the same channel"),
    63007: (400, "Twilio could not find a Channel with the specified From address"),
    63031: (400, "Channels message cannot have same From and To"),
}

ASYNCHRONOUS = {
    63016: (
        "Failed to send freeform message because you are outside the allowed window. If you are"
        " using WhatsApp, please use a Message Template."
    ),
}
"""Wordings of errors that come with a status callback, after the message was accepted."""


def refusal(code: int, what: str = "") -> Refusal:
    """Make the refusal with this code; `what` is the value it is about."""
    status, wording = _WORDINGS[code]
    return Refusal(code, wording.format(what=what), status)
