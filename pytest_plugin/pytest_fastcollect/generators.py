"""Global random number generators: their states, to be compared and brought back."""

from __future__ import annotations

import contextlib
import functools
import random
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fastcollect_lsp.digest import blake2b

from .modules import peek

States = dict[str, tuple[object, Callable[[], None]]]

_unseeded: set[str] = set()
"""Global generators that nobody has seeded, here or in a process that this one was forked from."""


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


class Draws:
    """Tells the generators that steps have seeded from those that nobody has.

    One left in the same state by both executions was seeded: its state is kept.
    """

    def __init__(self, probed: Mapping[str, str]) -> None:
        self.found: dict[str, str] = {}
        """A digest of each state that a step has left, by `step:name`."""
        self._probed = probed
        """What the probe has found."""
        self._before: States | None = None
        # Else both executions would draw the same from one that their parent has imported.
        for name in _unseeded:
            reseed(name)

    def begin(self) -> None:
        """A step begins."""
        if self._before is None:
            self._before = generators()

    def end(self, index: int) -> tuple[list[Callable[[], None]], bool]:
        """The step has ended: what to do in a run child, and whether it has drawn from a generator
        that nobody has seeded."""
        before, self._before = self._before or {}, generators()
        restore: list[Callable[[], None]] = []
        drawn = False
        for name, (state, again) in self._before.items():
            if name in before and before[name][0] == state:
                continue
            key = f"{index}:{name}"
            digest = blake2b(repr(state).encode(), digest_size=8).hexdigest()
            self.found[key] = digest
            if self._probed.get(key) == digest:
                restore.append(again)
                _unseeded.discard(name)
                continue
            drawn = drawn or (key in self._probed and (name in before or not _is_fresh(name)))
            if name != "random":  # which is seeded anew by every fork
                restore.append(functools.partial(reseed, name))
                _unseeded.add(name)
        return restore, drawn


class SessionDraws:
    """The same of a session that is collected ahead of time; what modules have left behind is put
    right in the middle of it, when they are imported."""

    def __init__(self, probed: Mapping[str, str] | None) -> None:
        """`probed`: what the probe has found; None in the probe."""
        self.found: dict[str, str] = {}
        self.drawn = False
        """Whether something was drawn that differs from run to run."""
        self._probed = probed
        self._before: States = {}
        self._count = 0

    def resume(self) -> None:
        """What changes from now on, the session does."""
        self._before = generators()

    def pause(self) -> None:
        """What changes from now on is none of the session's doing."""
        for name, (state, _) in generators().items():
            if name not in self._before and _is_fresh(name):
                continue
            if name not in self._before or self._before[name][0] != state:
                self.drawn = not self._as_probed(f"{self._count}:{name}", state) or self.drawn
        self._count += 1

    def end(self) -> list[Callable[[], None]]:
        """The session is collected: what to do in a run child."""
        self.pause()
        restore = []
        for name, (state, again) in generators().items():
            if self._as_probed(f"end:{name}", state):
                restore.append(again)
            elif name != "random":  # which is seeded anew by every fork
                restore.append(functools.partial(reseed, name))
        return restore

    def _as_probed(self, key: str, state: object) -> bool:
        digest = blake2b(repr(state).encode(), digest_size=8).hexdigest()
        self.found[key] = digest
        return self._probed is None or self._probed.get(key) == digest


@contextlib.contextmanager
def unseeded() -> Iterator[list[weakref.ref[random.Random]]]:
    """Generators that are made meanwhile, or seeded again, without a seed."""
    original = random.Random.seed
    made: list[weakref.ref[random.Random]] = []

    def seed(self: random.Random, a: Any = None, *args: Any, **kwargs: Any) -> None:
        if a is None:
            made.append(weakref.ref(self))
        original(self, a, *args, **kwargs)

    random.Random.seed = seed  # type: ignore[method-assign]
    try:
        yield made
    finally:
        random.Random.seed = original  # type: ignore[method-assign]


def seed_again(made: Iterable[weakref.ref[random.Random]]) -> None:
    """In the run child: these draw what no other run draws."""
    for reference in made:
        generator = reference()
        if generator is not None:
            generator.seed()


def _is_fresh(name: str) -> bool:
    """Whether a generator that has just been made has not been drawn from; numpy's, which is made
    when somebody first asks for `numpy.random`. The other ones begin in the same state always."""
    if name != "numpy.random":
        return True
    module = sys.modules[name]
    made: Any = module.RandomState()
    return bool(module.get_state()[2:] == made.get_state()[2:])


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
