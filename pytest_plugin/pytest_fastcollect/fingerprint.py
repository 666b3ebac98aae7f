"""What came out of executing a module, boiled down so that two executions can be compared.

A module executed ahead of time has not seen what hooks do before it in a run (`pytest_configure`
setting a flag, a plugin configuring a framework), nor the time at which the run imports it. Where
its namespace comes out differently than in the recorded run, it must not be executed ahead.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import pytest

_DEPTH = 3
_ELEMENTS = 20
_TEXT = 200
_SIMPLE = (type(None), bool, int, float, complex)


def fingerprint(module: Any) -> str:
    """A digest of a module's namespace: equal for two executions that did the same."""
    text = "\n".join(describe(module))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def describe(module: Any) -> Iterator[str]:
    """One line for each public or private name, dunder names apart."""
    home = str(peek(module, "__name__"))
    namespace = object.__getattribute__(module, "__dict__")
    for name in sorted(name for name in list(namespace) if isinstance(name, str)):
        if not (name.startswith("__") and name.endswith("__")) and not name.startswith("@"):
            yield f"{name} {_token(namespace[name], home, _DEPTH)}"


def _token(value: Any, module: str, depth: int) -> str:
    """Looks at a value without running any code of its own: lazy objects must stay lazy, so there
    is no `isinstance` (which asks for `__class__`) and no attribute access on foreign objects."""
    kind = type(value)
    if kind in _SIMPLE:
        return repr(value)
    if kind in (str, bytes):
        return repr(value[:_TEXT]) + str(len(value))
    if kind in _BY_TYPE:
        return _BY_TYPE[kind](value, module, depth)
    if issubclass(kind, type):
        return _class(value, module, depth)
    if issubclass(kind, PurePath):
        return f"{kind.__qualname__} {PurePath.__str__(value)}"
    return _instance(value, module, depth)


def _function(value: types.FunctionType, module: str, depth: int) -> str:
    code = value.__code__
    where = f"{code.co_filename}:{code.co_firstlineno}:{len(code.co_code)} {value.__qualname__}"
    if value.__module__ != module or depth <= 0:
        return where
    extras: list[Any] = [value.__defaults__, value.__kwdefaults__, value.__dict__ or None]
    for cell in value.__closure__ or ():
        try:
            extras.append(cell.cell_contents)
        except ValueError:
            extras.append("empty")
    return where + "".join(_token(extra, module, depth - 1) for extra in extras if extra)


def _class(value: type, module: str, depth: int) -> str:
    namespace = type.__dict__["__dict__"].__get__(value)
    home = namespace.get("__module__")
    name = f"class {home}.{type.__dict__['__qualname__'].__get__(value)}"
    if home != module or depth <= 0:
        return name
    members = (
        f"{key}={_token(member, module, depth - 1)}"
        for key, member in sorted(namespace.items())
        if not (key.startswith("__") and key.endswith("__")) and not key.startswith("_abc_")
    )
    return f"{name}{{{','.join(members)}}}"


def _sequence(value: Any, module: str, depth: int) -> str:
    if depth <= 0:
        return f"{type(value).__name__} of {len(value)}"
    elements = (_token(element, module, depth - 1) for element in value[:_ELEMENTS])
    return f"{type(value).__name__} of {len(value)} [{','.join(elements)}]"


def _set(value: Any, module: str, depth: int) -> str:
    if depth <= 0 or len(value) > _ELEMENTS:
        return f"{type(value).__name__} of {len(value)}"
    elements = sorted(_token(element, module, depth - 1) for element in value)
    return f"{type(value).__name__} of {len(value)} {{{','.join(elements)}}}"


def _dict(value: Mapping[Any, Any], module: str, depth: int) -> str:
    if depth <= 0:
        return f"dict of {len(value)}"
    pairs = [
        f"{_token(key, module, depth - 1)}:{_token(member, module, depth - 1)}"
        for key, member in list(value.items())[:_ELEMENTS]
    ]
    return f"dict of {len(value)} {{{','.join(pairs)}}}"


def _instance(value: Any, module: str, depth: int) -> str:
    """An object of some class: what it is, and its attributes as far as they are plain to see."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if depth <= 0 or not _is_plain(kind):
        return name
    attributes = object.__getattribute__(value, "__dict__")
    return f"{name} {_dict(attributes, module, depth - 1)}"


def _is_plain(kind: type) -> bool:
    """Whether instances keep their attributes in an ordinary `__dict__`."""
    found = False
    for base in kind.__mro__[:-1]:
        if "__getattribute__" in base.__dict__ or "__getattr__" in base.__dict__:
            return False
        if "__dict__" in base.__dict__:
            if type(base.__dict__["__dict__"]) is not types.GetSetDescriptorType:
                return False
            found = True
    return found


def _module(value: types.ModuleType, module: str, depth: int) -> str:
    return f"module {value.__name__}"


def _wrapper(value: Any, module: str, depth: int) -> str:
    return type(value).__name__ + _token(value.__func__, module, depth)


def _named(value: Any, module: str, depth: int) -> str:
    return f"{type(value).__name__} {getattr(value, '__qualname__', '')}"


def _mark(value: pytest.Mark, module: str, depth: int) -> str:
    """The condition of a `skipif` is what hooks have most often had a hand in."""
    return f"mark {value.name} {_sequence(value.args, module, 2)} {_dict(value.kwargs, module, 2)}"


_BY_TYPE: dict[type, Callable[[Any, str, int], str]] = {
    types.FunctionType: _function,
    types.BuiltinFunctionType: _named,
    types.ModuleType: _module,
    types.MethodType: _wrapper,
    classmethod: _wrapper,
    staticmethod: _wrapper,
    list: _sequence,
    tuple: _sequence,
    dict: _dict,
    pytest.Mark: _mark,
    set: _set,
    frozenset: _set,
}


def peek(module: Any, name: str) -> Any:
    """An attribute of a module, or None, without running code of the module's own.

    What stands in `sys.modules` may import something, or raise, whenever it is asked for anything.
    """
    try:
        namespace = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return None
    return namespace.get(name) if isinstance(namespace, dict) else None


def importable(name: str) -> bool:
    """Whether a name in `sys.modules` is there by an import of that name, rather than an alias or
    the remains of a package whose own import failed."""
    module = sys.modules.get(name)
    spec = peek(module, "__spec__")
    parent = name.rpartition(".")[0]
    return getattr(spec, "name", None) == name and (not parent or parent in sys.modules)
