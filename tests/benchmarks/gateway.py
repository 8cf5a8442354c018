"""The webhook path on real Kafka, beside a bare FastAPI endpoint that reads the same form.

`webhook_vs_form` and `webhook_vs_body` compare the server's CPU time per request, as the median of
interleaved rounds; the gateway does all of its work (signature, event, acks=all, log, spans).
"""

import json
import signal
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from common.ids import new_id
from gateway.twilio_signature import sign
from processor import sample
from recado.development import SENDERS
from recado.whereabouts import Whereabouts
from tests.benchmarks.figures import bars, compared, keep, reported
from tests.benchmarks.processes import cpu_seconds, pin
from tests.servers import kafka
from tests.servers.collector import collector
from tests.servers.loopback import status_of
from tests.servers.processes import Server, free_ports
from tests.servers.stack import Addresses, Ports, Stack

ROUNDS, SECONDS, CONNECTIONS, BODIES = 5, 4.0, 32, 500
SERVER_CORE, OTHER_CORE = 0, 1


@dataclass
class Candidate:
    """One server, its requests, and the CPU microseconds per request of each round."""

    name: str
    port: int
    pid: int
    requests: list[str]
    rounds: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])

    def measure(self) -> None:
        before = cpu_seconds(self.pid)
        done = load(self, rate=0)
        self.rounds.append((cpu_seconds(self.pid) - before) / done["requests"] * 1e6)
        self.rates.append(done["requests"] / done["seconds"])

    @property
    def microseconds(self) -> float:
        return statistics.median(self.rounds)


def load(candidate: Candidate, *, rate: float) -> dict[str, float]:
    order = {
        "port": candidate.port,
        "connections": CONNECTIONS,
        "seconds": SECONDS,
        "rate": rate,
        "requests": candidate.requests,
    }
    command = ["taskset", "-c", str(OTHER_CORE), sys.executable, "-m", "tests.benchmarks.load"]
    done = subprocess.run(
        command, input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=True
    )
    result: dict[str, float] = json.loads(done.stdout)
    if result["failed"]:
        raise RuntimeError(f"{candidate.name}: {result['failed']:.0f} answers were no 200")
    return result


def main() -> None:
    """Measure, print, and write the figures down."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="recado-bench-")))
        gateway = start_gateway(stack, folder)
        form, body = start_baselines(stack, folder, gateway.requests)
        candidates = [gateway, form, body]
        for candidate in candidates:
            load(candidate, rate=0)  # warm: imports, caches, connections
            pin(candidate.pid, SERVER_CORE)
        for _ in range(ROUNDS):
            for candidate in candidates:
                candidate.measure()
        half = load(gateway, rate=statistics.median(gateway.rates) / 2)
    figures = [
        compared(
            "webhook_vs_form",
            gateway.microseconds,
            unit="µs",
            baseline=form.microseconds,
            goal=1.25,
        ),
        compared(
            "webhook_vs_body",
            gateway.microseconds,
            unit="µs",
            baseline=body.microseconds,
            goal=0.75,
        ),
        reported("webhook_requests_per_second", statistics.median(gateway.rates), unit="1/s"),
        reported("webhook_kafka_p99_ms", half["p99_ms"], unit="ms"),
    ]
    keep("gateway", figures, explanation(candidates))


def explanation(candidates: list[Candidate]) -> str:
    return (
        f"Server CPU per request, median of {ROUNDS} interleaved rounds of {SECONDS:g} s with "
        f"{CONNECTIONS} connections; server on one core, load and Kafka on the other. A ratio is "
        "baseline / ours: more is better. `webhook_kafka_p99_ms` is at half of the full rate.\n\n"
        + bars("Server CPU per request", "µs", {one.name: one.microseconds for one in candidates})
    )


def start_gateway(stack: ExitStack, folder: Path) -> Candidate:
    """A gateway with logs on and 5 % of spans, on Kafka; its account comes from SQLite."""
    broker = stack.enter_context(kafka.local_kafka())
    spans = stack.enter_context(collector())
    database = f"sqlite:///{folder}/recado.db"
    addresses = Addresses(f"kafka://{broker.bootstrap}", database, database)
    ports = Ports.free()
    services = Stack(
        addresses,
        folder,
        exits=stack,
        ports=ports,
        variables={"RECADO_TRACING_ENDPOINT": spans.endpoint, "RECADO_LOG_FORMAT": "json"},
    )
    services.operate("migrate")
    services.start("simulator")
    services.wait_until_ready("simulator")
    at = services.whereabouts
    services.operate("sample", at.url, at.simulator_url, "--data", str(folder))
    services.start("gateway")
    services.wait_until_ready("gateway")
    requests = [signed_request(at) for _ in range(BODIES)]
    return Candidate("gateway", ports.gateway, services.pid("gateway"), requests)


def start_baselines(
    stack: ExitStack, folder: Path, requests: list[str]
) -> tuple[Candidate, Candidate]:
    def start(path: str) -> Candidate:
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "tests.benchmarks.bare_fastapi", str(port)]
        server = Server(command, log=folder / f"bare-{path}.log")
        stack.callback(server.end, signal.SIGKILL)
        server.wait_until(lambda: status_of(f"http://127.0.0.1:{port}/docs") == 200, seconds=30)
        target = [_to_path(request, f"/{path}") for request in requests]
        return Candidate(f"bare FastAPI, {path}", port, server.pid, target)

    return start("form"), start("body")


def signed_request(at: Whereabouts) -> str:
    """One WhatsApp message as Twilio posts it, each with an id of its own."""
    form = _form(at)
    path = f"/webhooks/twilio/{sample.ACCOUNT}/messages"
    signature = sign((at.url + path).encode(), [*form.items()], at.secrets.auth_token.encode())
    body = urlencode(form)
    headers = {
        "Host": at.url.removeprefix("http://"),
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "X-Twilio-Signature": signature.decode(),
        "User-Agent": "TwilioProxy/1.1",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n{body}"


def _form(at: Whereabouts) -> dict[str, str]:
    sid = f"SM{new_id().hex}"
    metadata: dict[str, Any] = {"type": "whatsapp", "data": {"context": {"ProfileName": "Ana"}}}
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "SmsMessageSid": sid,
        "AccountSid": at.secrets.account_sid,
        "ApiVersion": "2010-04-01",
        "From": "whatsapp:+5511999990001",
        "To": SENDERS[0],
        "WaId": "5511999990001",
        "Body": "Vocês abrem domingo? E tem pão sem glúten? " * 3,
        "NumSegments": "1",
        "NumMedia": "0",
        "ReferralNumMedia": "0",
        "SmsStatus": "received",
        "ProfileName": "Ana Souza",
        "MessageType": "text",
        "Forwarded": "false",
        "ChannelMetadata": json.dumps(metadata),
        "FrequentlyForwarded": "false",
        **{f"{end}{part}": "" for end in ("From", "To") for part in ("City", "State", "Zip")},
        "FromCountry": "BR",
        "ToCountry": "BR",
    }


def _to_path(request: str, path: str) -> str:
    line, _, rest = request.partition("\r\n")
    return f"{line.partition(' ')[0]} {path} HTTP/1.1\r\n{rest}"
