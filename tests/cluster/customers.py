"""Runs in a pod: customers who write to the simulator, one message after the other, for ever."""

import itertools
import json
import sys
import time
import urllib.request

SIMULATOR, SENDER, PER_SECOND = sys.argv[1], sys.argv[2], float(sys.argv[3])
CONTACTS = [f"whatsapp:+55119999{number:05}" for number in range(20)]

begun = time.monotonic()
for number in itertools.count():
    time.sleep(max(0.0, begun + number / PER_SECOND - time.monotonic()))
    message = {"from": CONTACTS[number % len(CONTACTS)], "to": SENDER, "text": f"Question {number}"}
    request = urllib.request.Request(  # noqa: S310 - of the test's making
        f"{SIMULATOR}/simulator/messages",
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - as above
