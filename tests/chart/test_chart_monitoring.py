"""The chart ships the dashboard and the alerts as they stand in their files."""

import json

import yaml

from tests.chart.rendering import CHART, EVERYTHING, one, render


def test_the_alerts_are_those_of_the_file() -> None:
    rules = one(render(EVERYTHING), "PrometheusRule", "recado")

    assert rules["spec"] == yaml.safe_load((CHART / "alerts" / "recado.yaml").read_text())
    assert rules["metadata"]["labels"]["release"] == "prometheus"


def test_grafanas_sidecar_finds_the_dashboard_of_the_file() -> None:
    shipped = one(render(EVERYTHING), "ConfigMap", "recado-dashboard")

    (dashboard,) = shipped["data"].values()
    file = CHART / "dashboards" / "overview.json"
    assert json.loads(dashboard) == json.loads(file.read_text())
    assert shipped["metadata"]["labels"]["grafana_dashboard"] == "1"
