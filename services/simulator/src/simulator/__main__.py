"""`python -m simulator`: a stand-in for Twilio on a port of its own."""

from prometheus_client import CollectorRegistry

from common.observability.logging import configure
from common.runtime import Health, HttpServer, run_until_stopped, start
from common.settings import load
from simulator.app import open_simulator
from simulator.settings import SimulatorSettings


async def main() -> None:
    """Serve until stopped."""
    settings = load(SimulatorSettings)
    configure(settings.log, "simulator")
    health = Health(CollectorRegistry())
    at, pages = settings.simulator, settings.health
    async with open_simulator(at) as simulator:
        server = HttpServer(simulator.app, host=at.host, port=at.port)
        watched = HttpServer(health.app(), host=pages.host, port=pages.port)
        print(f"The phone is at http://{at.host}:{server.port}/phone", flush=True)
        await run_until_stopped(
            server, watched, simulator.webhooks, drain_seconds=settings.drain_seconds
        )


if __name__ == "__main__":
    start(main)
