"""Exponential back-off: how long whatever failed waits at most before it is tried again.

Who waits draws a time below that end, since what failed together must not come back together:
aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter.
"""

_DOUBLINGS = 62
"""Far beyond any longest wait; after a thousand, which an outage of hours makes, a float ends."""


def upper_end(first: float, longest: float, attempts: int) -> float:
    """Return `first` doubled for each of `attempts` failed attempts but one, up to `longest`."""
    return min(longest, first * 2.0 ** min(attempts - 1, _DOUBLINGS))
