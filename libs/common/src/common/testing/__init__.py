"""What tests of every service need; imported by tests alone."""

from common.testing.waiting import eventually

__all__ = ["eventually"]
