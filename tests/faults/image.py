"""A file system in a file, on a loop device: it can be filled to the last byte, and its power can be cut."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import shutil
import struct
import subprocess
import threading
from pathlib import Path

# The ioctl behind `xfs_io -x -c shutdown`: XFS_IOC_GOINGDOWN, which ext4 has under the same number.
SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # what was not fsynced is gone, as when the cable is pulled


def why_not(kind: str) -> str:
    """Return why this machine cannot have such a file system, or ''."""
    if os.geteuid() != 0:
        return "loop devices need root"
    if shutil.which(f"mkfs.{kind}") is None:
        return f"there is no mkfs.{kind}"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices"
    return ""


class Image:
    """One file system of `kind` and so many megabytes (sparse: it takes only what is written)."""

    def __init__(self, folder: Path, kind: str, megabytes: int, options: list[str]) -> None:
        self.file, self.root, self.kind = folder / "image", folder / "mounted", kind
        self.root.mkdir()
        with self.file.open("wb") as handle:
            handle.truncate(megabytes << 20)
        subprocess.run([f"mkfs.{kind}", "-q", *options, str(self.file)], check=True, capture_output=True)

    def mount(self, options: str = "loop") -> None:
        """Mount. A mount namespace that began meanwhile (a container, another test) may still hold the file system
        that was shut down, and then the kernel hands out that one: wait until it has let go."""
        for _ in range(600):
            subprocess.run(["mount", "-o", options, str(self.file), str(self.root)], check=True)
            if "ro" in options.split(","):
                return
            try:
                (self.root / "alive").write_bytes(b"yes")
            except OSError:
                self.unmount()
                threading.Event().wait(0.5)
            else:
                return
        raise AssertionError(f"another mount namespace of this machine holds {self.file}")

    def unmount(self) -> None:
        """Unmount as soon as the last of the killed processes has let go."""
        for _ in range(100):
            if subprocess.run(["umount", str(self.root)], check=False, capture_output=True).returncode == 0:
                return
            if f" {self.root} " not in Path("/proc/self/mounts").read_text():  # `is_mount` fails on one that is down
                return
            threading.Event().wait(0.1)
        raise AssertionError(f"{self.root} stays busy")

    def cut_power(self) -> None:
        """Stop the file system at once: nothing more reaches the disk, and every call on it fails."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def fail(self) -> None:
        """Let the kernel find an error in an ext4 (of `mkfs -e remount-ro`): it closes it to all writing."""
        source = subprocess.run(["findmnt", "-n", "-o", "SOURCE", str(self.root)], check=True, capture_output=True)
        device = Path(source.stdout.decode().strip()).name
        assert re.fullmatch(r"loop\d+", device), device
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("as when a sector is bad")

    def repair(self) -> None:
        """Unmount, let e2fsck look after it, mount."""
        self.unmount()
        checked = subprocess.run([f"fsck.{self.kind}", "-y", str(self.file)], check=False, capture_output=True)
        assert checked.returncode in {0, 1}, checked.stdout
        self.mount()

    def fill_with_names(self) -> Path:
        """Make empty files until there can be no more; returns the folder that holds them."""
        filler = self.root / "names"
        filler.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            for number in itertools.count(len(list(filler.iterdir()))):
                (filler / str(number)).touch()
        return filler

    def fill(self) -> Path:
        """Take every byte that is left; returns the file that holds them."""
        filler = self.root / "filler"
        with filler.open("wb", buffering=0) as handle:
            step, end = 64 << 20, 0
            while step >= 1024:
                try:
                    os.posix_fallocate(handle.fileno(), end, step)
                    end += step
                except OSError:
                    step //= 2
            handle.seek(end)
            with contextlib.suppress(OSError):  # the last crumbs, which fallocate does not find
                while True:
                    handle.write(bytes(512))
        with contextlib.suppress(OSError):
            for number in range(10_000):
                (self.root / f"crumb-{number}").write_bytes(bytes(4096))
        return filler
