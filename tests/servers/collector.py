"""A collector of OpenTelemetry spans, as OTLP over HTTP, in a thread of the test's process."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class CollectedSpan:
    """What a test asks of a span."""

    service: str
    name: str
    trace: str
    attributes: dict[str, str]


@dataclass
class Collector:
    """Everything that was exported so far."""

    endpoint: str = ""
    spans: list[CollectedSpan] = field(default_factory=list[CollectedSpan])

    def of_correlation(self, correlation: str) -> list[CollectedSpan]:
        key = "recado.correlation_id"
        return [span for span in self.spans if span.attributes.get(key) == correlation]

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    CollectedSpan(
                        service=names["service.name"],
                        name=span.name,
                        trace=span.trace_id.hex(),
                        attributes={one.key: one.value.string_value for one in span.attributes},
                    )
                    for span in scope.spans
                ]


@contextmanager
def collector() -> Generator[Collector]:
    """A collector on a free port of loopback."""
    collected = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collected.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        collected.endpoint = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        yield collected
        server.shutdown()
        thread.join()
