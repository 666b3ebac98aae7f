"""Global random number generators: their states, to be compared and brought back."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from .modules import peek

States = dict[str, tuple[object, Callable[[], None]]]


def generators() -> States:
    """Name → (state, how to bring this very state back), of the libraries that are imported."""
    state = random.getstate()
    found: States = {"random": (state, lambda: random.setstate(state))}
    for name, look in (("numpy.random", _numpy), ("torch", _torch)):
        module = sys.modules.get(name)
        if module is not None and (one := look(module)) is not None:
            found[name] = one
    return found


def reseed(name: str) -> None:
    """Seed a global generator anew, as a new process does; `random` does so itself at a fork."""
    if name in {"numpy.random", "torch"}:
        sys.modules[name].seed()


def _numpy(module: Any) -> tuple[object, Callable[[], None]] | None:
    if peek(module, "get_state") is None:
        return None  # being imported
    state = module.get_state()
    text = repr([part.tobytes() if hasattr(part, "tobytes") else part for part in state])
    return text, lambda: module.set_state(state)


def _torch(module: Any) -> tuple[object, Callable[[], None]] | None:
    """The CPU's: CUDA is never checkpointed past."""
    if peek(module, "get_rng_state") is None or peek(module, "default_generator") is None:
        return None
    state = module.get_rng_state()
    return bytes(state.tolist()), lambda: module.set_rng_state(state)
