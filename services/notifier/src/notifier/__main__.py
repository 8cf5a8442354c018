"""`python -m notifier`: sending as a process of its own."""

from common.runtime import start
from notifier.app import SERVICE, run
from notifier.settings import NotifierSettings

if __name__ == "__main__":
    start(SERVICE, NotifierSettings, run)
