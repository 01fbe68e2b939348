"""Whether a file lies on a network file system, where neither SQLite's locks nor a ledger's can be relied on."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["network_type"]

MOUNTS = Path("/proc/mounts")  # Linux; where there is none, it cannot be told

_NETWORK = {"afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4"}
_NETWORK |= {"orangefs", "pvfs2", "smb3", "smbfs", "vboxsf"}
_NETWORK |= {  # those in a program of their own, which Linux shows as fuse.NAME
    f"fuse.{name}"
    for name in ("ceph", "curlftpfs", "gcsfuse", "glusterfs", "goofys", "juicefs", "mount.davfs", "rclone", "s3fs")
}
_NETWORK |= {"fuse.sshfs", "fuse.smbnetfs", "fuse.vmhgfs-fuse"}


def network_type(path: Path) -> str | None:
    """The type of the network file system (``"nfs4"``) that a file lies on; None for a local one, or if unknown."""
    try:
        lines = MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    folder = str(Path(os.path.realpath(path)).parent)  # where a link leads to counts
    found, longest = "", -1
    for line in lines:
        _, mounted, kind, *_ = [*line.split(" "), "", "", ""]
        mounted = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mounted)
        inside = folder == mounted or folder.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= longest:  # of two at one place the later one covers the earlier
            found, longest = kind, len(mounted)
    return found if found in _NETWORK else None
