"""Ways in: asking at the door, recovery sheets, shared devices with their faces, one device at several doors.

The invitation is rebuilt because SQLite cannot change a CHECK. Token rows outlive a revocation (they open nothing: the
device is looked at first), so that a browser can be told once that it was signed out.
"""

TABLES = """
CREATE TABLE invitation_new (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, once TEXT UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('member', 'device', 'setup', 'recover', 'shared', 'sheet', 'here', 'away')),
  name TEXT NOT NULL, role TEXT NOT NULL, door TEXT NOT NULL DEFAULT '', member_id INTEGER REFERENCES member,
  made_by INTEGER REFERENCES member, device_id INTEGER REFERENCES device, link_hash BLOB UNIQUE, code_hash BLOB,
  made_at INTEGER NOT NULL, link_until INTEGER NOT NULL, code_until INTEGER NOT NULL,
  tries_home INTEGER NOT NULL DEFAULT 0, tries_away INTEGER NOT NULL DEFAULT 0, used_at INTEGER, revoked_at INTEGER);
INSERT INTO invitation_new (id, public_id, once, kind, name, role, member_id, made_by, link_hash, code_hash, made_at,
  link_until, code_until, tries_home, tries_away, used_at, revoked_at)
  SELECT id, public_id, once, kind, name, role, member_id, made_by, link_hash, code_hash, made_at, link_until,
  code_until, tries_home, tries_away, used_at, revoked_at FROM invitation;
DROP TABLE invitation;
ALTER TABLE invitation_new RENAME TO invitation;
CREATE INDEX invitation_code ON invitation (code_hash) WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE UNIQUE INDEX invitation_sheet ON invitation (member_id)
  WHERE kind = 'sheet' AND used_at IS NULL AND revoked_at IS NULL;

ALTER TABLE device ADD COLUMN added_by INTEGER REFERENCES member;
ALTER TABLE device ADD COLUMN limited_until INTEGER;
ALTER TABLE device ADD COLUMN face_id INTEGER REFERENCES member;
ALTER TABLE device ADD COLUMN face_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE device ADD COLUMN face_pin INTEGER NOT NULL DEFAULT 0;

CREATE TABLE face (
  device_id INTEGER NOT NULL REFERENCES device, member_id INTEGER NOT NULL REFERENCES member, pin BLOB,
  wrong INTEGER NOT NULL DEFAULT 0, closed_until INTEGER NOT NULL DEFAULT 0, agreed_at INTEGER NOT NULL,
  PRIMARY KEY (device_id, member_id)) WITHOUT ROWID;

CREATE TABLE ask (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, secret_hash BLOB NOT NULL UNIQUE,
  name TEXT NOT NULL, device_name TEXT NOT NULL, device_id INTEGER REFERENCES device, door TEXT NOT NULL,
  network TEXT NOT NULL, words TEXT NOT NULL, pairs TEXT NOT NULL, made_at INTEGER NOT NULL, until INTEGER NOT NULL,
  invitation_id INTEGER, ended_at INTEGER);
"""


def up(migrator, db):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
