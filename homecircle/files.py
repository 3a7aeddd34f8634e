"""The layout of the data folder, and the only hand that writes in it.

Whole or not at all: a temporary in the same file system, fsync, rename, fsync the folder (as restic and SecureDrop do).
Files are named by date and content, never by what a user called them. Folders are 0700 and files 0600. One process at a
time holds the folder (flock on ``lock``); the lock goes with the process, so a crash leaves nothing to clean.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from homecircle.errors import NoSpace, Refused, Unwritable

MIB = 1 << 20
UPLOADS_KEEP_FREE = 1 << 30  # uploads stop below this or 5 %, so that words still find room
POSTS_KEEP_FREE = 200 * MIB
BALLAST = 64 * MIB  # kept for the house itself: on a full disk SQLite can neither delete nor open
LOAN = 8 * MIB  # given back a piece at a time, so that a hungry neighbour cannot eat all of it at once
LEAST = 4 * MIB  # free bytes below which a transaction needs a piece of the ballast
FILES_KEEP_FREE = 100  # a disk for fewer new files is a full one, however many bytes it has: a photo becomes four
SPARES = 8  # empty files that give way where no new one can be made: SQLite opens with two, the control socket is one
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"}


_failures: deque[str] = deque(maxlen=1)


@dataclass(frozen=True, slots=True)
class Folder:
    """A data folder. Paths below it are given relative to `root` in rows, so that the folder can be moved."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "homecircle.sqlite3"

    @property
    def control(self) -> Path:
        return self.root / "control.sock"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def renditions(self) -> Path:
        return self.root / "renditions"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def arrivals(self) -> Path:
        """Where a family lays folders and ZIPs that are to be brought in."""
        return self.root / "import"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def ballast(self) -> Path:
        return self.root / "ballast"

    @property
    def spares(self) -> list[Path]:
        return [self.root / f"{self.ballast.name}-{number}" for number in range(SPARES)]

    @property
    def arriving(self) -> Path:
        """The house that a backup becomes, until the next start moves it in."""
        return self.root / "arriving"

    @property
    def restoring(self) -> Path:
        """The mark of a restore that has not come to its end: no house yet."""
        return self.root / "restoring"

    def prepare(self, house: str = "") -> None:
        """Make what is missing, refuse what is not a home for data, and empty `tmp`.

        `house` is the id this folder must carry: the service's unit names it, so that an unmounted disk (an empty
        folder where the family's pictures should be) ends the start instead of beginning a second, empty house.
        """
        self._refuse_wrong_house(house)
        if self.restoring.exists():
            raise Refused("A backup is only half restored into %(path)s. `homecircle restore` with the same backup "
                          "goes on with it.", path=self.root)  # fmt: skip
        try:
            for folder in (self.root, self.vault, self.renditions, self.uploads, self.backups, self.arrivals,
                           self.temporary):  # fmt: skip
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise self._closed(error) from None
        kind = file_system(self.root)
        if kind in NETWORK_FILE_SYSTEMS:
            raise Refused("%(path)s lies on a network disk (%(kind)s). HomeCircle needs a disk of this machine: "
                          "network disks lose data when a line drops.", path=self.root, kind=kind)  # fmt: skip
        try:
            for leftover in self.temporary.iterdir():
                clear(leftover)
            for spare in self.spares if self._new_files() < SPARES else ():
                self.remove(spare)
        except OSError as error:
            raise self._closed(error) from None

    def _closed(self, error: OSError) -> Refused:
        return Refused("HomeCircle may not write in %(path)s (%(why)s).", path=self.root, why=error.strerror)

    def _refuse_wrong_house(self, house: str) -> None:
        marker = self.root / "house"
        if not house:
            return
        found = marker.read_text(encoding="ascii").strip() if marker.exists() else ""
        if found != house:
            raise Refused("%(path)s is not the folder of this house: %(found)s. Is its disk plugged in and mounted? "
                          "Nothing was changed.", path=self.root,
                          found="it carries another house's mark" if found else "it is empty or unmarked")  # fmt: skip

    def become_owner(self) -> None:
        """As root, become the folder's owner for good: nothing in the folder may ever belong to root."""
        owner = self.root.stat()
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.setgroups([])
            os.setgid(owner.st_gid)
            os.setuid(owner.st_uid)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this process; `Refused` at once when another one does."""
        try:
            opened = _opened(self.root / "lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:  # a disk that was mounted read-only, also by the kernel after an error
            raise self._closed(error) from None
        with opened as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused("HomeCircle is already running with this folder (%(path)s).", path=self.root) from None
            yield

    def secret(self) -> bytes:
        """Return the 32 bytes of ``secret.key``, made at the first call."""
        path = self.root / "secret.key"
        if not path.exists():
            self.write(path, secrets.token_bytes(32))
        return path.read_bytes()

    def write(self, path: Path, content: bytes) -> None:
        """Put `content` at `path`: there in full and on disk when this returns, or not there at all."""
        temporary = self.temporary / secrets.token_hex(8)
        try:
            with _room_or_refusal(), create(temporary) as handle:
                handle.write(content)
                settle(handle)
            self.move(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def write_loosely(self, path: Path, content: bytes) -> None:
        """Put `content` at `path` without waiting for the disk: after a power cut it may be torn, or not be there."""
        temporary = self.temporary / secrets.token_hex(8)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with create(temporary) as handle:
                handle.write(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def move(self, source: Path, target: Path) -> None:
        """Rename a settled file to its place and settle both folders."""
        missing = [folder for folder in target.parents if not folder.exists()]
        make_folder(target.parent)
        source.replace(target)
        for folder in (target.parent, *(folder.parent for folder in missing)):
            settle_folder(folder)

    def remove(self, path: Path) -> None:
        """Remove a file that may already be gone."""
        path.unlink(missing_ok=True)

    def erase(self, path: Path) -> None:
        """Remove a file that may already be gone, for good: a power cut does not bring it back."""
        if path.exists():
            path.unlink()
            settle_folder(path.parent)

    def take(self, stream: IO[bytes]) -> Path:
        """Write a form's file to `tmp`, settled; the caller moves it on or removes it."""
        path = self.spool()
        try:
            with _room_or_refusal(), create(path) as handle:
                shutil.copyfileobj(stream, handle, MIB)
                settle(handle)
        except BaseException:
            self.remove(path)
            raise
        return path

    def spool(self) -> Path:
        """Return a fresh path in `tmp` for bytes on their way to their place."""
        return self.temporary / secrets.token_hex(8)

    def free(self) -> int:
        """Return the bytes that this process may still write: 0 where it can make hardly any file more."""
        return shutil.disk_usage(self.root).free if self._new_files() >= FILES_KEEP_FREE else 0

    def _new_files(self) -> int:
        """Return how many files can still be made; where none are counted (btrfs, FAT), more than enough."""
        found = os.statvfs(self.root)
        return found.f_favail if found.f_files else FILES_KEEP_FREE

    def total(self) -> int:
        """Return the size of the disk in bytes."""
        return shutil.disk_usage(self.root).total

    def spool_requests(self) -> None:
        """Let waitress and werkzeug put large bodies into `tmp`: a Pi's /tmp is memory."""
        tempfile.tempdir = str(self.temporary)

    def make_room(self, size: int) -> None:
        """Raise `NoSpace` unless an upload of `size` bytes leaves the reserve that words need."""
        if self.is_tight(size):
            raise NoSpace("Home has no space left for this.")

    def is_tight(self, size: int = 0) -> bool:
        """Say whether an upload of `size` bytes would take what words need."""
        return self.free() - size < max(UPLOADS_KEEP_FREE, self.total() // 20)

    def room_for_words(self) -> None:
        """Raise `NoSpace` when even a message should wait."""
        if self.free() < POSTS_KEEP_FREE:
            raise NoSpace("Home has no space left. Reading works; writing waits until there is room again.")

    def keep_ballast(self) -> bool:
        """Take the ballast (again) where the reserve for words is left beside it; say whether all of it is there."""
        has = self.ballast.stat().st_size if self.ballast.exists() else 0
        if has < BALLAST and self.free() > POSTS_KEEP_FREE + BALLAST:
            with _opened(self.ballast, os.O_RDWR | os.O_CREAT) as handle, contextlib.suppress(OSError):
                os.posix_fallocate(handle.fileno(), 0, BALLAST)
                has = BALLAST
        if self._new_files() >= FILES_KEEP_FREE + SPARES:
            for spare in self.spares:
                _opened(spare, os.O_RDWR | os.O_CREAT).close()
        return has >= BALLAST

    def lend(self) -> None:
        """On a full disk give a piece of the ballast back, so that deleting, starting and closing work."""
        if self.free() >= LEAST or not self.ballast.exists():
            return
        with self.ballast.open("r+b") as handle:
            handle.truncate(max(0, handle.seek(0, os.SEEK_END) - LOAN))


def _opened(path: Path, flags: int) -> BinaryIO:
    return os.fdopen(os.open(path, flags | os.O_CLOEXEC, 0o600), "r+b" if flags & os.O_RDWR else "wb")


def create(path: Path) -> BinaryIO:
    """Open a new private file for writing; `FileExistsError` when there is one."""
    return _opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)


def scratch(path: Path) -> BinaryIO:
    """Open a new private file for writing and for reading it again."""
    return _opened(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)


def append(path: Path, offset: int, pieces: Iterator[bytes]) -> int:
    """Write `pieces` at `offset` (what lies beyond was never acknowledged and is cut), settle, return the new end."""
    with _room_or_refusal(), path.open("r+b") as handle:
        handle.truncate(offset)
        handle.seek(offset)
        for piece in pieces:
            handle.write(piece)
        settle(handle)
        return handle.tell()


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it, each 0700 (`mkdir` gives that to the last one only)."""
    for each in [*reversed(path.parents), path]:
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def put(path: Path, pieces: Iterable[bytes], watch: Callable[[int], None] = lambda length: None) -> None:
    """Write a new file, settled; `watch` hears of each piece's bytes. Raises `NoSpace`, and what `pieces` raise."""
    make_folder(path.parent)
    with _room_or_refusal(), create(path) as handle:
        for piece in pieces:
            handle.write(piece)
            watch(len(piece))
        settle(handle)


def copy(source: Path, target: Path, watch: Callable[[int], None]) -> str:
    """Copy a file to a new place, settled, and return the SHA-256 of what was read.

    `watch` hears of each piece's bytes. Raises `NoSpace` when the disk is full, and what reading raises
    (`FileNotFoundError`, an EIO of a dying disk).
    """
    make_folder(target.parent)
    digest = hashlib.sha256()
    with _room_or_refusal(), source.open("rb") as whence, create(target) as handle:
        while piece := whence.read(MIB):
            digest.update(piece)
            handle.write(piece)
            watch(len(piece))
        settle(handle)
    return digest.hexdigest()


def copy_apart(source: Path, target: Path) -> None:
    """Copy a file that SQLite has open, settled, in a process of its own.

    Closing any descriptor of a database drops the locks that this process holds on it (fcntl(2); "How To Corrupt An
    SQLite Database File", 2.2), so this process must not open it. Raises `NoSpace`, or `OSError` with what cp said.
    """
    create(target).close()
    plain = {"LC_ALL": "C", "PATH": os.defpath}
    words = ["cp", "--", str(source), str(target)]
    told = subprocess.run(words, capture_output=True, text=True, check=False, env=plain)  # noqa: S603  our own words
    if told.returncode and "No space left" in told.stderr:
        raise NoSpace("Home has no space left. Reading works; writing waits until there is room again.")
    if told.returncode:
        raise OSError(errno.EIO, told.stderr.strip()[-200:])
    with target.open("rb") as handle:
        settle(handle)


def rename_into(source: Path, target: Path) -> None:
    """Give a settled file or folder its name in another folder of the same disk."""
    for folder in (source, *source.rglob("*")) if source.is_dir() else ():
        settle_folder(folder) if folder.is_dir() else None
    source.rename(target)
    settle_folder(target.parent)


def give_to(path: Path, like: Path) -> None:
    """As root, give a whole folder to the owner of another, where the disk knows owners (FAT does not)."""
    if os.geteuid() != 0:
        return
    owner = like.stat()
    with contextlib.suppress(PermissionError):
        for each in (path, *path.rglob("*")):
            os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)


def link(source: Path, target: Path) -> bool:
    """Give a file that is never changed in place a second name; False where that cannot be (another disk, exFAT)."""
    make_folder(target.parent)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace("Home has no space left. Reading works; writing waits until there is room again.") from error
        return False
    return True


def rename_folder(source: Path, target: Path) -> None:
    """Settle every folder below `source`, give it its name, settle the folder that holds it."""
    for folder in (each for each in source.rglob("*") if each.is_dir()):
        settle_folder(folder)
    settle_folder(source)
    source.rename(target)
    settle_folder(target.parent)


def clear(path: Path) -> None:
    """Remove a file or a whole folder that may already be gone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def settle(handle: BinaryIO) -> None:
    """Return when the file's bytes are on the disk."""
    with _room_or_refusal():
        handle.flush()
        os.fsync(handle.fileno())


def settle_folder(folder: Path) -> None:
    """Return when the folder's names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with _room_or_refusal():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _room_or_refusal() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if told := refusal(error):
            raise told from error
        raise


def refusal(error: BaseException) -> Unwritable | None:
    """Return what the house says of an error that is the disk's own (full, closed to writing, failing), or None."""
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpace("Home has no space left. Reading works; writing waits until there is room again.")
    if number == errno.EIO:
        _failures.append(str(error))
    return closed() if number in {errno.EIO, errno.EROFS} else None


def closed() -> Unwritable:
    """What the house says while the disk refuses what is written."""
    return Unwritable("The disk at home takes nothing new at the moment. Reading works. Please tell whoever looks "
                      "after HomeCircle.")  # fmt: skip


def has_failed() -> bool:
    """Say whether the disk has reported an error since this process began: it should be looked at."""
    return bool(_failures)


def sha256(path: Path) -> str:
    """Return the file's SHA-256 as 64 hexadecimal letters."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def file_system(path: Path) -> str:
    """Return the kind of file system that holds `path` ('ext4', 'nfs4', ...), or '' where the machine does not say."""
    return _mount(path)[1]


def on_sd_card(path: Path) -> bool:
    """Say whether `path` lies on an SD card or eMMC (their block device is named mmcblk)."""
    return "/mmcblk" in _mount(path)[0]


def _mount(path: Path) -> tuple[str, str]:
    """(source, kind) of the deepest mount that holds `path`, from /proc (proc(5)); ('', '') on other systems."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "", ""
    real, best = str(path.resolve()), ("", "", "")
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        source, where, kind = line.split(" ")[:3]
        where = re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), where)
        inside = real == where or real.startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best[0]):
            best = (where, source, kind)
    return best[1], best[2]
