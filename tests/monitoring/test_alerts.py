"""The alerts, as promtool tries them with time at hand, and as a person reads them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.monitoring.shown import CHART, RULES, alerts
from tests.servers.prometheus import promtool

CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
OPERATIONS = CHART.parents[2] / "docs" / "operations.md"


def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", "--lint-fatal", str(RULES))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_it_fires_when_it_should_and_only_then(case: Path) -> None:
    done = promtool("test", "rules", str(case))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_has_cases_in_which_it_fires_waits_and_stays_silent(
    alert: dict[str, Any],
) -> None:
    looks = list(looks_at(alert["alert"]))

    fires = {case for case, fired in looks if fired}
    silent = {case for case, fired in looks if not fired}
    assert fires
    assert fires & silent, "a case in which it waits before it fires"
    assert silent - fires, "a case in which it never fires"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_says_what_it_means_and_where_to_read_on(alert: dict[str, Any]) -> None:
    said = alert["annotations"]
    page, _, anchor = said["runbook"].partition("#")

    assert alert["for"]
    assert alert["labels"]["severity"] in ("warning", "critical")
    assert said["summary"].endswith(".")
    assert said["description"].endswith(".")
    assert page == "docs/operations.md"
    assert anchor in anchors(OPERATIONS)


def test_there_are_five_symptoms() -> None:
    assert len(alerts()) == 5


def looks_at(alert: str) -> Iterator[tuple[str, bool]]:
    """Each time that a case looks at the alert: the case's name, and whether it fires then."""
    for path in CASES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for look in case["alert_rule_test"]:
                if look["alertname"] == alert:
                    yield case["name"], bool(look["exp_alerts"])


def anchors(page: Path) -> set[str]:
    """What a link into the page may name: its headings, as they are turned into ids."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
