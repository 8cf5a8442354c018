"""The pages that the code writes: settings and events, so that they cannot drift from it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.events import TOPICS, Payload
from common.settings import Settings, Variable, variables

_GENERATED = "This page is written by `recado reference`; change the code instead.\n"


def write_pages(root: Path, models: Mapping[str, type[Settings]]) -> list[Path]:
    """Write every page below `root` and return their paths."""
    pages = {root / name: text for name, text in reference_pages(models).items()}
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(pages)


def reference_pages(models: Mapping[str, type[Settings]]) -> dict[str, str]:
    """Return each page by its path; `models` are the settings of each process, by its name."""
    return {
        "docs/configuration.md": configuration_page(models),
        "docs/events.md": events_page(),
        ".env.example": environment_sample(models),
    }


def configuration_page(models: Mapping[str, type[Settings]]) -> str:
    """Return the table of all variables, and which process reads them."""
    lines = [
        "# Configuration\n",
        _GENERATED,
        "Every setting is a variable of the environment. An empty one counts as absent.\n",
        "| variable | read by | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for variable, readers in _readers(models):
        read_by = "all" if len(readers) == len(models) else ", ".join(readers)
        text = (variable.field.description or "").replace("|", "\\|")
        lines.append(f"| `{variable.name}` | {read_by} | {_default(variable)} | {text} |")
    return "\n".join(lines) + "\n"


def environment_sample(models: Mapping[str, type[Settings]]) -> str:
    """Return a file of all variables, each commented out, for a person to copy."""
    lines = ["# Copy what you need. Written by `recado reference`; change the code instead."]
    for variable, _ in _readers(models):
        default = _default(variable).strip("`")
        value = "" if default in ("required", "none") else default
        lines += ["", f"# {variable.field.description}", f"# {variable.name}={value}"]
    return "\n".join(lines) + "\n"


def events_page() -> str:
    """Return the topics, and the fields of every payload."""
    lines = [
        "# Events\n",
        _GENERATED,
        "CloudEvents 1.0, binary mode: attributes in `ce_…` headers, the payload as JSON.\n",
        "| topic | payloads | key | from → to |",
        "| --- | --- | --- | --- |",
    ]
    for topic in TOPICS:
        names = ", ".join(f"`{payload.__name__}`" for payload in topic.payloads)
        lines.append(
            f"| `{topic.name}` | {names} | {topic.key} | {topic.producer} → {topic.consumer} |"
        )
    for topic in TOPICS:
        for payload in topic.payloads:
            lines += _payload(payload)
    return "\n".join(lines) + "\n"


def _payload(payload: type[Payload]) -> Iterator[str]:
    yield f"\n## {payload.__name__}\n"
    yield f"{payload.__doc__} Type `{payload.type}`.\n"
    yield "| field | type | meaning |"
    yield "| --- | --- | --- |"
    schema = payload.model_json_schema()
    for name, field in schema["properties"].items():
        required = "" if name in schema.get("required", ()) else ", optional"
        yield f"| `{name}` | {_json_type(field)}{required} | {field.get('description', '')} |"


def _json_type(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        return field["$ref"].rpartition("/")[2]
    if "anyOf" in field:
        return " or ".join(_json_type(option) for option in field["anyOf"])
    return field.get("format", field.get("type", "string"))


def _readers(models: Mapping[str, type[Settings]]) -> list[tuple[Variable, list[str]]]:
    readers: dict[str, tuple[Variable, list[str]]] = {}
    for process, model in models.items():
        for variable in variables(model):
            readers.setdefault(variable.name, (variable, []))[1].append(process)
    return list(readers.values())


def _default(variable: Variable) -> str:
    if variable.field.is_required():
        return "required"
    default: Any = variable.field.get_default(call_default_factory=True, validated_data={})
    if default is None:
        return "none"
    value = default.get_secret_value() if hasattr(default, "get_secret_value") else default
    return f"`{value}`"
