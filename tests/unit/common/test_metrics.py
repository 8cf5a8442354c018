from prometheus_client import CollectorRegistry

from common.observability.metrics import Metrics, begin_at_zero


def test_a_series_is_there_before_anything_was_counted() -> None:
    metrics = Metrics(CollectorRegistry())

    begin_at_zero(metrics.webhooks, ["messages", "status"], ["accepted"])

    shown = {
        (sample.labels["kind"], sample.value)
        for sample in next(iter(metrics.webhooks.collect())).samples
        if sample.name == "recado_webhooks_total"
    }
    assert shown == {("messages", 0.0), ("status", 0.0)}


def test_what_was_counted_stays() -> None:
    metrics = Metrics(CollectorRegistry())
    metrics.sends.labels("failed").inc()

    begin_at_zero(metrics.sends, ["failed"])

    assert metrics.registry.get_sample_value("recado_sends_total", {"outcome": "failed"}) == 1
