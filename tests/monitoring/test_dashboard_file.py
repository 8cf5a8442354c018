"""The dashboard as Grafana reads it: whole, described, and at home with any Prometheus."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.monitoring.shown import DASHBOARD, dashboard, panels, queries

WIDTH = 24
COME_WITH_GRAFANA = {"row", "stat", "timeseries"}
UNITS = {"s", "short", "cps", "reqps", "percentunit"}
SIDECAR_BYTES = 256 * 1024


def test_it_needs_no_plugin() -> None:
    assert {panel["type"] for panel in dashboard()["panels"]} == COME_WITH_GRAFANA
    assert dashboard()["schemaVersion"] == 42


def test_each_panel_has_a_title_a_description_and_a_unit() -> None:
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


def test_panels_have_ids_and_places_of_their_own() -> None:
    every = dashboard()["panels"]

    assert len({panel["id"] for panel in every}) == len(every)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= WIDTH for panel in every)
    assert [
        (one["title"], other["title"])
        for one, other in combinations(every, 2)
        if overlap(one["gridPos"], other["gridPos"])
    ] == []


def test_every_source_of_data_is_the_one_that_the_reader_chose() -> None:
    sources = list(named(dashboard(), "datasource"))

    assert len(sources) > len(panels())
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in sources)


def test_a_reader_chooses_the_source_and_the_namespaces() -> None:
    chosen = {each["name"]: each for each in dashboard()["templating"]["list"]}

    assert list(chosen) == ["datasource", "namespace"]
    assert chosen["namespace"]["allValue"] == ".*"  # outside Kubernetes there is no such label


def test_each_query_heeds_the_namespace_and_invents_nothing() -> None:
    for title, expression in queries():
        selectors = expression.count("{")
        assert expression.count('{namespace=~"$namespace"') == selectors > 0, title
        assert "vector(" not in expression, title


def test_rates_follow_the_scrape_interval() -> None:
    for title, expression in queries():
        windows = expression.count("[")
        steady = expression.count("[$__rate_interval]") + expression.count("[1h]")
        assert steady == windows, title


def test_each_query_of_a_panel_has_a_letter_and_a_legend() -> None:
    for panel in panels():
        letters = [each["refId"] for each in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]
        assert all(each["legendFormat"] for each in panel["targets"]), panel["title"]


def test_it_fits_a_config_map_and_is_written_in_one_way() -> None:
    text = DASHBOARD.read_text()

    assert len(text.encode()) < SIDECAR_BYTES
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def named(value: Any, key: str) -> Iterator[Any]:  # noqa: ANN401 - what JSON holds
    """Every value under that key, at any depth."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for child in value.values():
            yield from named(child, key)
    elif isinstance(value, list):
        for child in value:
            yield from named(child, key)
