"""Safety: what was backed up, proven and read again, and which devices a restore has suspended.

`safety` holds, for each thing done (backup, drill, scrub) in each place (here, there, vault), the last try and the last
time it went well. `upto` is the highest original in that backup: what arrived is told apart by number, never by clock.
"""

TABLES = """
ALTER TABLE circle ADD COLUMN house_id TEXT NOT NULL DEFAULT '';
UPDATE circle SET house_id = lower(hex(randomblob(4)));

CREATE TABLE safety (
  what TEXT NOT NULL, place TEXT NOT NULL, tried_at INTEGER NOT NULL, problem TEXT NOT NULL DEFAULT '',
  good_at INTEGER, name TEXT NOT NULL DEFAULT '', upto INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (what, place)) WITHOUT ROWID;
CREATE TABLE hashed (
  place TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, at INTEGER NOT NULL, problem TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (place, key)) WITHOUT ROWID;
CREATE INDEX hashed_problem ON hashed (place) WHERE problem <> '';
CREATE TABLE suspended (device_id INTEGER PRIMARY KEY REFERENCES device, at INTEGER NOT NULL);
"""


def up(migrator, db):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
