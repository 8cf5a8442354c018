"""Post a webhook that nobody signed, and exit 0 if the gateway refuses it."""
# ruff: noqa: INP001, T201 - the chart hands this text to a pod, whose log is read by a person

import sys
import time
import urllib.error
import urllib.request

URL = f"{sys.argv[1]}/webhooks/twilio/00000000000000000000000000/messages"
REFUSED = 403
DEADLINE = time.monotonic() + 30


def answer() -> int | str:
    """Return the status, or why there is none."""
    try:
        with urllib.request.urlopen(URL, data=b"Body=hello", timeout=5) as response:  # noqa: S310 - of the chart's making
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


while (got := answer()) != REFUSED and time.monotonic() < DEADLINE:
    time.sleep(1)
print(f"An unsigned webhook was answered: {got}.")
sys.exit(got != REFUSED)
