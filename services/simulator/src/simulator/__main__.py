"""`python -m simulator`: a stand-in for Twilio on a port of its own."""

from common.runtime import start
from simulator.app import run
from simulator.settings import SimulatorSettings

if __name__ == "__main__":
    start("simulator", SimulatorSettings, run)
