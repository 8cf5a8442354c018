"""Dashboard and alerts ask for what there is, and what there is is shown."""

from tests.monitoring.shown import alerts, named_in, queries, series_of_metrics


def test_dashboard_and_alerts_name_only_series_that_are_scraped() -> None:
    scraped = set[str]().union(*series_of_metrics().values())

    assert named_in(expression for _, expression in queries()) <= scraped
    assert named_in(alert["expr"] for alert in alerts()) <= scraped


def test_every_metric_is_on_the_dashboard() -> None:
    shown = named_in(expression for _, expression in queries())

    missing = [name for name, series in series_of_metrics().items() if not series & shown]

    assert missing == []


def test_what_an_alert_watches_can_be_looked_at_on_the_dashboard() -> None:
    shown = named_in(expression for _, expression in queries())

    assert named_in(alert["expr"] for alert in alerts()) <= shown
