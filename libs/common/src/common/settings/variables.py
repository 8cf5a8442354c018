"""Which variable belongs to which field of a settings model."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from common.settings.model import Section

PREFIX = "RECADO"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment, and where its value goes."""

    name: str
    path: tuple[str, ...]
    field: FieldInfo


def variables(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[Variable]:
    """Yield each variable that `model` reads, in the order in which it declares them."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        here = (*path, name)
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from variables(kind, here)
        else:
            yield Variable(variable_name(here), here, field)


def variable_name(path: tuple[str, ...]) -> str:
    """Return the name of the variable that sets the field at `path`."""
    return "_".join((PREFIX, *path)).upper()
