"""On which file systems nothing is proven."""

from __future__ import annotations

import pytest

from fastcollect_lsp import mounts
from fastcollect_lsp.mounts import Mount

TEXT = r"""22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
24 23 0:30 / /home/me/local\040disk rw - xfs /dev/vdb rw
25 22 0:31 / /mnt/ssh rw - fuse.sshfs me@there: rw
"""


def test_parse() -> None:
    assert mounts.parse(TEXT) == [
        Mount("/", "ext4"),
        Mount("/home", "nfs4"),
        Mount("/home/me/local disk", "xfs"),
        Mount("/mnt/ssh", "fuse.sshfs"),
    ]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/project/test_a.py", None),
        ("/home/me/project/test_a.py", "nfs4"),
        ("/home/me/local disk/test_a.py", None),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/sshfs/x", None),
    ],
)
def test_first_remote(path: str, kind: str | None) -> None:
    found = mounts.first_remote(["/srv/x", path], mounts.parse(TEXT))
    assert (found and found[1].kind) == kind


def test_this_machine() -> None:
    assert any(mount.point == "/" for mount in mounts.current())
