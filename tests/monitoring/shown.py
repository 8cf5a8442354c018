"""The dashboard and the alerts as files, and what they ask of Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from common.observability.metrics import Metrics

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "recado"
DASHBOARD = CHART / "dashboards" / "overview.json"
RULES = CHART / "alerts" / "recado.yaml"

_NAME = re.compile(r"\brecado_\w+")
_SERIES_OF = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}


def dashboard() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[dict[str, Any]]:
    """Every panel that shows something; a row is a heading."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    """Title and expression of each query, with variables as they stand in the file."""
    return [(panel["title"], each["expr"]) for panel in panels() for each in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return group["rules"]


def named_in(expressions: Iterator[str]) -> set[str]:
    """The series of ours that these expressions name."""
    return {name for expression in expressions for name in _NAME.findall(expression)}


def series_of_metrics() -> dict[str, set[str]]:
    """Each metric that `Metrics` declares, and the series that it is scraped as."""
    return {
        family.name: {family.name + ending for ending in _SERIES_OF[family.type]}
        for family in Metrics(CollectorRegistry()).registry.collect()
    }
