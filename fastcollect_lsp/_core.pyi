"""The Rust core: project configuration, static scan, proofs, watch. Types for `rust_scanner/`."""

from collections.abc import Mapping, Sequence
from typing import Literal, final

__all__ = ["InputSet", "ProjectConfig", "Scan", "Watcher", "__version__", "project_config"]

__version__: str

@final
class ProjectConfig:
    """What pytest would read from the configuration file (`_pytest/config/findpaths.py`)."""

    @property
    def root(self) -> str:
        """pytest's rootdir, absolute."""
    @property
    def inifile(self) -> str | None:
        """The configuration file that counts, absolute; None where there is none."""
    @property
    def error(self) -> str | None:
        """Why the configuration could not be parsed (one line); None when it could."""
    @property
    def python_version(self) -> tuple[int, int] | None:
        """The project's Python, as the directories of its search path tell it."""
    @property
    def pytest_version(self) -> tuple[int, int, int] | None:
        """The pytest installed there; None where none is found."""
    @property
    def python_files(self) -> list[str]: ...
    @property
    def python_classes(self) -> list[str]: ...
    @property
    def python_functions(self) -> list[str]: ...
    @property
    def testpaths(self) -> list[str]: ...
    @property
    def norecursedirs(self) -> list[str]: ...

def project_config(
    cwd: str,
    args: Sequence[str] = (),
    *,
    inifile: str | None = None,
    rootdir: str | None = None,
    options: Sequence[str] = (),
    search_path: Sequence[str] | None = None,
) -> ProjectConfig:
    """Find rootdir and configuration as pytest does for these positional arguments.

    `args` are positional arguments (paths or node ids) as typed, relative to `cwd`. `options` are
    all other words of the command line (those of `PYTEST_ADDOPTS` first): they come after
    `addopts`, and those that do not change what is collected are passed over. `search_path` is the
    `sys.path` of the interpreter that runs the tests; None: that of this one. Never raises on a
    broken configuration file: `error` says what is wrong and the defaults hold.
    """
@final
class Scan:
    """A project's static test tree. Thread-safe; all work is done with the GIL released."""

    def __new__(
        cls, config: ProjectConfig, args: Sequence[str] = (), *, cache: str | None = None
    ) -> Scan:
        """`args`: positional arguments as for pytest; none means testpaths or root.

        `cache` is a directory for what files say, kept for the next process; it is made, and must
        be the user's alone. Where that fails there is no cache. Nothing in it is trusted.
        """
    def refresh(self, overlays: Mapping[str, bytes] = ...) -> list[str]:
        """Walk and (re)scan what changed; `overlays` maps absolute paths to unsaved buffers, all of
        them: a file that is not among them is read from disk.

        Returns the absolute paths whose items differ from before, or that vanished, sorted.
        """
    def update(self, path: str, text: bytes | None) -> bool:
        """Scan one file again, from `text` (an unsaved buffer) or from disk when None.

        Returns whether its items differ from before. A path that the last `refresh` did not find is
        no test file: nothing happens.
        """
    @property
    def paths(self) -> list[str]:
        """Absolute paths of the test files, in pytest's order."""
    @property
    def directories(self) -> list[str]:
        """Absolute paths of all directories that the last `refresh` looked into, sorted."""
    @property
    def counts(self) -> tuple[int, int]:
        """(files, tests), where a test is a function, or a parametrized case where known."""
    def imports_of(
        self, path: str, until: Literal["imported", "called", "never"] = "never"
    ) -> list[str]:
        """The project's files that a file imports, directly or not; absolute paths, sorted.

        As of the last `refresh` and `update`; made by the first call, kept up to date from then on.
        More than Python does import, not less: every branch counts, the packages around a file and
        the conftest.py files above a test file as well. `until`: which imports are followed: those
        executed when the module is imported; also those in functions, and of modules that a string
        names; also those under `if TYPE_CHECKING:`. Empty for a file that no test file leads to.
        """
    def dependents_of(
        self, path: str, until: Literal["imported", "called", "never"] = "never"
    ) -> list[str]:
        """The test files that import a file, directly or not, and itself if it is one; sorted.

        Of a file that is deleted: ask before the next `refresh`. Otherwise as `imports_of`.
        """
    def fixture(
        self, path: str, line: int, name: str, named: bool = False
    ) -> tuple[str, tuple[int, int, int, int], str | None] | None:
        """The definition of the fixture that a name in a line (from 0) of a file means.

        Its absolute path; its range: lines and columns (UTF-16) of its start and end; its scope
        where the text says. None where no function around the line asks for it. `named`: it is
        certain that a fixture is meant, as in `usefixtures("name")`.
        """
    def items_json(self, path: str) -> bytes:
        """The `TestItem`s of one file, a JSON array as in the editor protocol; `[]` if unknown.

        Dynamic items have a `reason` besides, for people.
        """
    def tree_json(self) -> bytes:
        """All `TestItem`s: directories and packages, then files with content, parents first."""

@final
class InputSet:
    """Files and directories as they are now; proves later that they have not changed since.

    A file is its stat tuple (mtime_ns, ctime_ns, size, inode, device; through symlinks, and the
    link's own for links), or its absence. A directory is its stat tuple, and where that differs its
    listing: the sorted names that an import or pytest's collection could depend on.
    """

    def __new__(
        cls,
        files: Sequence[str],
        dirs: Sequence[str],
        prefixes: Sequence[tuple[str, int]] = [],
        listings: Sequence[str] = [],
    ) -> InputSet:
        """Snapshot now, in parallel, GIL released. Missing or unreadable paths are states.

        `prefixes`: files of which only the first bytes, as many as given, count. `listings`:
        directories of which all names count, but for `__pycache__`.
        """
    def changed(self, limit: int = 20) -> list[str]:
        """Verify in one parallel pass, GIL released: up to `limit` paths that differ; [] = proven.

        A limit of 0 counts as 1.
        """
    @property
    def newest_ctime_ns(self) -> int:
        """The latest ctime of all inputs, in ns since the epoch (0 for none): a snapshot younger
        than this is racy."""
    @property
    def taken_ns(self) -> int:
        """When the snapshot was begun, in ns since the epoch: to compare `newest_ctime_ns` with."""
    def __len__(self) -> int: ...

@final
class Watcher:
    """Watches directories, not recursively. Failing to is a state, not an error.

    What it tells is a hint: a change may be reported late, twice or for nothing.
    """

    def __new__(cls, most: int = 1000, limit: int = 20_000) -> Watcher:
        """`most`: changed paths that are told apart; `limit`: directories that are watched at most,
        as the kernel's watches are shared with all other programs of the user.

        Raises OSError where no descriptor is left for the signal.
        """
    def fileno(self) -> int:
        """The descriptor that is readable while there is something to take. It lives as long as
        this object, also after `close`."""
    def watch(self, directories: Sequence[str], inputs: Sequence[InputSet] = ()) -> list[str]:
        """Watch `directories` and those of `inputs`, and nothing else any more. GIL released.

        Costs what differs from before. Where not all can be watched, the first ones are. A
        directory that is not there is waited for in the nearest one above. Returns those that were
        not watched before: what has happened in them until now, nobody has seen.
        """
    def take(self) -> list[str] | None:
        """Paths that may have changed since the last call, sorted; None: any may have.

        Those are modules, configuration files, inputs, and directories that came or went.
        """
    def state(self) -> tuple[int, int, str | None, str]:
        """(directories that are watched, directories that should be, what is wrong, all in words).

        The words: "watching 120 directories", "not watching: the limit of …".
        """
    def close(self) -> None:
        """Stop watching; nothing is signalled any more."""
