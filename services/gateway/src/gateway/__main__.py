"""`python -m gateway`: Twilio's door as a process of its own."""

from common.runtime import start
from gateway.app import run
from gateway.settings import GatewaySettings

if __name__ == "__main__":
    start("gateway", GatewaySettings, run)
