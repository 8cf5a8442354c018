"""Every metric of Recado, by name: base units, and no id or number as a label."""

from collections.abc import Iterable
from functools import partial
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from common.observability.counts import Counts
from common.observability.distributions import Distributions

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0)
"""Seconds that somebody waits for us, which are minutes when it goes wrong."""


def begin_at_zero(counter: Counter | Counts, *values: Iterable[str]) -> None:
    """Show a series for each combination of these label values, before anything was counted.

    A series that appears with its first event has no rate of it.
    """
    for combination in product(*values):
        counter.labels(*combination)


class Metrics:
    """All metrics of one process, on a registry that its composition root made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register everything; a registry takes it once."""
        self.registry = registry
        self._register_gateway()
        self._register_process()
        self._register_broker()
        self._register_consumer()
        self._register_jobs()
        self._register_conversation()

    def _register_process(self) -> None:
        _, level, _ = self._kinds()
        self.event_loop_lag_seconds = level(
            "recado_event_loop_lag_seconds", "How late the event loop came to its last beat."
        )

    def _register_gateway(self) -> None:
        count, _, seconds = self._kinds()
        self.webhooks = count("recado_webhooks", "By outcome.", ["kind", "outcome"])
        self.webhook_seconds = seconds("recado_webhook_seconds", "To the answer.", ["kind"])

    def _register_broker(self) -> None:
        count, level, _ = self._kinds()
        self.records_published = count(
            "recado_records_published", "Handed to the broker.", ["topic", "outcome"]
        )
        self.records_handled = Counts(
            "recado_records_handled",
            "Deliveries by outcome of the handler.",
            ["topic", "outcome"],
            registry=self.registry,
        )
        self.handle_seconds = Distributions(
            "recado_record_handle_seconds",
            "One attempt of a record's handler.",
            "topic",
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.record_delay_seconds = Distributions(
            "recado_record_delay_seconds",
            "From an event's making to the end of its handling.",
            "topic",
            registry=self.registry,
            buckets=_WAITS,
        )
        self.dead_letters = count("recado_dead_letters", "Records given up.", ["topic", "reason"])
        labels = ["service", "topic", "reason"]
        self.dead_letters_kept = level(
            "recado_dead_letters_kept", "Given up, and not yet replayed or discarded.", labels
        )
        self.dead_letters_age_seconds = level(
            "recado_dead_letters_age_seconds", "Age of the oldest of them.", labels
        )

    def _register_consumer(self) -> None:
        count, level, _ = self._kinds()
        self.records_in_flight = level(
            "recado_records_in_flight", "Taken and not yet acknowledged.", ["group"]
        )
        self.lag_records = level(
            "recado_lag_records", "Held, or yet to come to this consumer.", ["topic"]
        )
        self.lag_seconds = level(
            "recado_lag_seconds", "Age of the oldest record that is held.", ["topic"]
        )
        self.commit_age_seconds = level(
            "recado_commit_age_seconds",
            "Since the oldest record is finished that would yet come again.",
            ["group"],
        )
        self.shards_given_back = count(
            "recado_shards_given_back", "Partitions or leases taken away.", ["group"]
        )
        self.consumer_paused = level(
            "recado_consumer_paused", "1 while a consumer waits for a dependency.", ["group"]
        )
        self.consumer_pauses = count(
            "recado_consumer_pauses", "How often a consumer began to wait.", ["group"]
        )
        self.consumer_halted = level(
            "recado_consumer_halted", "1 until an operator lets a consumer go on.", ["group"]
        )

    def _register_jobs(self) -> None:
        count, level, seconds = self._kinds()
        labels = ["service", "kind"]
        self.jobs_run = count("recado_jobs_run", "Claims by outcome.", [*labels, "outcome"])
        self.job_seconds = seconds("recado_job_seconds", "From claimed to settled.", labels)
        self.job_late_seconds = seconds(
            "recado_job_late_seconds", "From due to claimed.", labels, buckets=_WAITS
        )
        self.leases_lost = count("recado_job_leases_lost", "Jobs taken from us.", labels)
        self.jobs_running = level("recado_jobs_running", "Run by this process.", labels)
        self.jobs_due = level("recado_jobs_due", "Due, and taken by no process.", labels)
        self.jobs_overdue_seconds = level(
            "recado_jobs_overdue_seconds", "Age of the first that is due.", labels
        )
        self.jobs_failed = level("recado_jobs_failed", "Failed, and not yet revived.", labels)

    def _register_conversation(self) -> None:
        count, _, seconds = self._kinds()
        self.messages = count("recado_messages", "Inbound messages by outcome.", ["outcome"])
        self.reply_seconds = seconds(
            "recado_reply_seconds",
            "From the first message that a reply answers to the reply as it is stored.",
            buckets=_WAITS,
        )
        self.assistant_answers = count(
            "recado_assistant_answers",
            "What each assistant that was asked came to.",
            ["assistant", "outcome"],
        )
        self.sends = count("recado_sends", "Parts of replies by outcome at Twilio.", ["outcome"])
        self.provider_seconds = seconds(
            "recado_provider_seconds", "Calls to Twilio.", ["operation", "outcome"]
        )

    def _kinds(self) -> tuple[partial[Counter], partial[Gauge], partial[Histogram]]:
        return (
            partial(Counter, registry=self.registry),
            partial(Gauge, registry=self.registry),
            partial(Histogram, registry=self.registry, buckets=_SECONDS),
        )
