"""Since the backup: what was signed out, removed or deleted after it is not brought back, where something knows of it.

Two things may know: the old data folder (`--old`), and the newest backup of the same house in the same place. A copy of
that later database is laid beside the restored one, and what it says is closed, gone or deleted is so here too. Nothing
is brought over from it but that. All goes by public ids, which a house never gives twice.

That something is *not there* says that it was deleted only in a life that went on from this backup. One that is older,
or that parted from it before (an earlier backup was restored, and lived in), never knew it: there only counts what it
says itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from homecircle import db, files, trash
from homecircle.backup.shelf import DATABASE, backups, read_manifest
from homecircle.errors import Refused
from homecircle.files import Folder


def lay_beside(target: Folder, backup: Path, old: Path | None) -> list[Path]:
    """Copy what may know of the time since into `tmp` of the house to be: the sources keep every byte of theirs.

    Raises `Refused` for an old folder that cannot be read, is another house's, or is running.
    """
    known = [each / DATABASE for each in (_later(backup),) if each]
    if old is not None:
        known.append(_old_database(old))
    copies = [_copied(target, path) for path in known]
    if old is not None:
        _refuse_other_house(copies[-1], old, backup.name.partition("-")[2])
    return copies


def do_again(copies: list[Path]) -> int:
    """Do in the restored house, which is open, what the copies know was done since; returns how many rows changed."""
    done = 0
    for copy in copies:
        db.rows("ATTACH DATABASE ? AS since", str(copy))
        try:
            done += _do_again()
        finally:
            db.rows("DETACH DATABASE since")
    return done


def _later(backup: Path) -> Path | None:
    """The newest backup of the same house beside this one that is later and whole."""
    house = backup.name.partition("-")[2]
    found = [each for each in backups(backup.parent) if each.name > backup.name and each.name.endswith(f"-{house}")]
    return next(filter(_has_whole_database, reversed(found)), None)


def _has_whole_database(backup: Path) -> bool:
    try:
        return bool(files.sha256(backup / DATABASE) == read_manifest(backup).files[DATABASE][1])
    except (Refused, OSError, KeyError):
        return False


def _old_database(old: Path) -> Path:
    folder = Folder(old)
    if not folder.database.exists():
        raise Refused("There is no HomeCircle in %(path)s. Leave --old away to restore without it.", path=old)
    with contextlib.suppress(OSError), folder.lock():  # a disk that only reads has nobody who writes either
        pass
    return folder.database


def _copied(target: Folder, source: Path) -> Path:
    """Copy a database with what its log still holds."""
    copy = target.spool()
    for suffix in ("", "-wal"):
        if (part := Path(f"{source}{suffix}")).exists():
            files.copy(part, Path(f"{copy}{suffix}"), lambda length: None)
    return copy


def _refuse_other_house(copy: Path, old: Path, house: str) -> None:
    try:
        if wrong := db.quick_check(copy):
            raise sqlite3.DatabaseError(wrong[0])
        with db.beside(copy) as line:
            (found,) = line.execute("SELECT house_id FROM circle").fetchone()
    except sqlite3.DatabaseError as error:
        raise Refused("The database in %(path)s cannot be read (%(why)s). Leave --old away to restore without it.",
                      path=old, why=error) from error  # fmt: skip
    if found != house:
        raise Refused("%(path)s is another house's folder, not the one of this backup.", path=old)


def _do_again() -> int:
    """Run every statement in one transaction; returns how many rows changed."""
    moment = int(db.now().timestamp())
    with db.transaction():
        again = _SAID + (_NOT_THERE if _went_on() else ())
        done = sum(int(db.database.execute_sql(each, {"now": moment}).rowcount) for each in again)
        for statement in _FOLLOWS:
            db.rows(statement)
        _forget_again()
    return done


def _went_on() -> bool:
    """Say whether the copy is of the same life as this house, and later: its numbers go on from here, and no number was
    given to something else."""
    return not any(db.row(_PARTED.format(table=table)) for table in ("member", "device", "post", "message", "item"))


def _forget_again() -> None:
    """What the family has had forgotten everywhere is forgotten in a restored house as well.

    Its rows go now; its files, and what older backups hold of it, with the restored house's first `forget`.
    """
    if db.row("SELECT 1 FROM since.sqlite_schema WHERE name = 'forgotten'"):
        db.rows("INSERT OR IGNORE INTO forgotten (public_id, kind, by_id, at) "
                "SELECT then_.public_id, then_.kind, member.id, then_.at FROM since.forgotten AS then_ "
                "JOIN since.member AS who ON who.id = by_id "
                "JOIN main.member ON member.public_id = who.public_id")  # fmt: skip
        db.rows("UPDATE forgotten SET here_at = NULL, there_at = NULL")
        trash.erase_here()


def _deleted(table: str, by: str = "") -> str:
    """A row of `table` that was deleted since."""
    return f"""
UPDATE {table} SET deleted_at = (
    SELECT deleted_at FROM since.{table} AS then_ WHERE then_.public_id = {table}.public_id){by}
WHERE deleted_at IS NULL AND public_id IN (SELECT public_id FROM since.{table} WHERE deleted_at IS NOT NULL)"""


def _emptied(table: str) -> str:
    """A row that was there and is there no more (its trash was emptied) leaves the trash at once: 31 days ago."""
    return f"""
UPDATE {table} SET deleted_at = :now - 31 * 86400
WHERE deleted_at IS NULL AND public_id NOT IN (SELECT public_id FROM since.{table})"""


def _deleted_by(table: str) -> str:
    return f""", deleted_by = (SELECT member.id FROM since.{table} AS then_ JOIN since.member AS who
  ON who.id = then_.deleted_by JOIN main.member ON member.public_id = who.public_id
  WHERE then_.public_id = {table}.public_id)"""


_PARTED = """
SELECT 1 FROM {table} AS mine JOIN since.{table} AS its ON its.id = mine.id WHERE its.public_id <> mine.public_id
UNION ALL SELECT 1 FROM {table}
  WHERE id > coalesce((SELECT seq FROM since.sqlite_sequence WHERE name = '{table}'), 0) LIMIT 1"""
# What was revoked or deleted since: counted.
_SAID = (
    """DELETE FROM suspended WHERE device_id IN (SELECT device.id FROM device JOIN since.device AS then_
  ON then_.public_id = device.public_id WHERE then_.revoked_at IS NOT NULL
  AND then_.id NOT IN (SELECT device_id FROM since.suspended))""",
    """UPDATE member SET left_at = :now, role = 'member' WHERE left_at IS NULL
  AND public_id IN (SELECT public_id FROM since.member WHERE left_at IS NOT NULL)""",
    _deleted("post", _deleted_by("post")),
    _deleted("message"),
    _deleted("item", _deleted_by("item")),
)
_NOT_THERE = (
    # who looks after the house: as it was last
    """UPDATE member SET role = 'admin' WHERE left_at IS NULL AND role <> 'admin'
  AND public_id IN (SELECT public_id FROM since.member WHERE left_at IS NULL AND role = 'admin')""",
    """UPDATE member SET role = 'member' WHERE left_at IS NULL AND role = 'admin'
  AND public_id IN (SELECT public_id FROM since.member WHERE left_at IS NULL AND role <> 'admin')
  AND EXISTS (SELECT 1 FROM member AS other JOIN since.member AS then_ ON then_.public_id = other.public_id
    WHERE other.left_at IS NULL AND then_.left_at IS NULL AND then_.role = 'admin')""",
    _emptied("post"),
    _emptied("message"),
    _emptied("item"),
    """DELETE FROM mark WHERE (post_id, member_id) NOT IN (SELECT post.id, member.id FROM since.mark AS then_
  JOIN since.post AS post_then ON post_then.id = then_.post_id
  JOIN since.member AS member_then ON member_then.id = then_.member_id
  JOIN main.post ON post.public_id = post_then.public_id
  JOIN main.member ON member.public_id = member_then.public_id)""",
)
# What follows from it; a house never stands without anybody who looks after it.
_FOLLOWS = (
    """UPDATE member SET role = 'admin' WHERE id = (SELECT min(id) FROM member WHERE left_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM member WHERE left_at IS NULL AND role = 'admin')""",
    """DELETE FROM suspended WHERE device_id IN (
  SELECT device.id FROM device JOIN member ON member.id = member_id WHERE left_at IS NOT NULL)""",
    "DELETE FROM face WHERE member_id IN (SELECT id FROM member WHERE left_at IS NOT NULL)",
    # what went with its post lies in its place in the trash
    """UPDATE item SET left_with = post.public_id FROM post_item JOIN post ON post.id = post_item.post_id
  WHERE post_item.item_id = item.id AND item.left_with = '' AND item.came_with
  AND post.deleted_at = item.deleted_at AND post.deleted_by = item.deleted_by""",
    "DELETE FROM post_reader WHERE post_id IN (SELECT id FROM post WHERE deleted_at IS NOT NULL)",
)
