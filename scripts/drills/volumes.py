"""Small file systems for drills: a tmpfs or an image of ext4 that can be full, out of inodes, or cut off.

Needs the right to mount; nothing outside the drill's own folder is touched.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_THIN_MB = 96  # what a thin disk may really take


class CannotMount(RuntimeError):
    """This machine does not let us mount; the sentence says what was tried."""


def can_mount() -> bool:
    """Whether this process may mount file systems: root may, but not in every container."""
    with tempfile.TemporaryDirectory(prefix="drill-") as folder:
        try:
            Volume(Path(folder) / "try", "ext4", size_mb=8).unmount()
        except (CannotMount, OSError):
            return False
    return True


class Volume:
    """A mounted file system of `size_mb`. `kind` is tmpfs, ext4 (in an image beside the folder), or thin: an
    ext4 whose image lies on a tmpfs of its own, so that writes can fail with EIO."""

    def __init__(self, folder: Path, kind: str, *, size_mb: int, inodes: int | None = None) -> None:
        self.folder = folder
        self.kind = kind
        self.image = folder.with_name(f"{folder.name}.img")
        self._below = folder.with_name(f"{folder.name}.below")
        folder.mkdir(parents=True, exist_ok=True)
        if kind == "thin":
            self._below.mkdir()
            _run(["mount", "-t", "tmpfs", "-o", f"size={_THIN_MB}m", "tmpfs", str(self._below)])
            self.image = self._below / "image"
        if kind == "tmpfs":
            limit = f",nr_inodes={inodes}" if inodes else ""
            self._options = ["-t", "tmpfs", "-o", f"size={size_mb}m{limit}", "tmpfs"]
        else:
            with self.image.open("wb") as image:
                image.truncate(size_mb * 1024**2)
            count = ["-N", str(inodes)] if inodes else []
            _run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0", *count, str(self.image)])
            self._options = ["-o", "loop", str(self.image)]
        self.mount()

    def mount(self) -> None:
        """Mount, or mount again after `unmount` or `cut`."""
        _run(["mount", *self._options, str(self.folder)])

    def unmount(self) -> None:
        """Take it away in order; also while somebody still has files open."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True)

    def close(self) -> None:
        """Take it away for good, with what lies below it."""
        self.unmount()
        if self.kind == "thin":
            subprocess.run(["umount", "-l", str(self._below)], check=False, capture_output=True)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """A thin disk refuses every block that it has not yet (EIO), as a dying one does."""
        ballast = self._below / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 2**16)
        try:
            yield
        finally:
            ballast.unlink()

    def photograph(self) -> Path:
        """What the disk itself holds now, without what is still in memory: as a power cut leaves it."""
        copy = self.image.with_suffix(".cut")
        shutil.copyfile(self.image, copy)
        return copy

    def replace_by(self, image: Path) -> None:
        """Go on with another image of the same disk."""
        self.unmount()
        self._options[-1] = str(image)
        self.mount()

    def fill(self, *, leave_bytes: int, name: str = "foreign.bin") -> Path:
        """A foreign file that takes all room but `leave_bytes`."""
        foreign = self.folder / name
        size = max(0, shutil.disk_usage(self.folder).free - leave_bytes)
        with foreign.open("wb", buffering=0) as file:  # a buffer would be refused again when it is closed
            block = b"\0" * 2**20
            try:
                for _ in range(size // len(block)):
                    file.write(block)
                file.write(b"\0" * (size % len(block)))
            except OSError:  # somebody else took the rest
                pass
        return foreign


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMount(f"{' '.join(argv)}: {done.stderr.strip()}")
