"""What the text of a test module decides (`determined`), as data."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Import:
    """An import statement at a module's top level, for one name of it."""

    level: int
    module: str
    name: str | None
    """What is taken from the module (`from module import name`)."""
    bound: str
    """The name that it is bound to."""


THERE, CLASS, PLAIN = "there", "class", "plain"


@dataclass
class Study:
    """What remains to be looked at where a module is left out."""

    imports: list[Import] = field(default_factory=list)
    uses: dict[str, str] = field(default_factory=dict)
    """Names of other modules that are evaluated, dotted: they have to be there. And to be a class,
    where that is a part of an annotation (CLASS), or plain, where it is compared (PLAIN)."""
    marks: set[str] = field(default_factory=set)
    """Names of marks: if one is not registered, pytest says so."""


def to_json(found: Study | None) -> object:
    """A study as plain data."""
    if found is None:
        return None
    return {
        "imports": [[one.level, one.module, one.name, one.bound] for one in found.imports],
        "uses": found.uses,
        "marks": sorted(found.marks),
    }


def from_json(data: object) -> Study | None:
    """Raises ValueError, TypeError, KeyError for what is none."""
    if data is None:
        return None
    if not isinstance(data, dict):
        raise ValueError("no study")
    imports = [_import(one) for one in data["imports"]]
    uses, marks = data["uses"], data["marks"]
    if not isinstance(uses, dict) or not set(uses.values()) <= {THERE, CLASS, PLAIN}:
        raise ValueError("no uses")
    if not isinstance(marks, list) or not all(isinstance(one, str) for one in marks):
        raise ValueError("no marks")
    return Study(imports, uses, set(marks))


def _import(data: object) -> Import:
    if not isinstance(data, list) or len(data) != 4:
        raise ValueError("no import")
    level, module, name, bound = data
    known = name is None or isinstance(name, str)
    if not (type(level) is int and isinstance(module, str) and known and isinstance(bound, str)):
        raise ValueError("no import")
    return Import(level, module, name, bound)
