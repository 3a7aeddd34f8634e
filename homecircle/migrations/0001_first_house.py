"""The first house: people and devices, what they may see, what they share, what happened.

Plain SQL, run through peewee's runner: triggers, partial indexes and WITHOUT ROWID tables have no peewee spelling.
The limits of twelve are triggers, so that twenty simultaneous pairings at eleven still end at twelve.
"""

TABLES = """
CREATE TABLE original (
  id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, media_type TEXT NOT NULL,
  path TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
  width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0, taken TEXT, camera TEXT NOT NULL DEFAULT '',
  has_place INTEGER NOT NULL DEFAULT 0, preview TEXT NOT NULL DEFAULT '', drawings TEXT NOT NULL DEFAULT '[]',
  arrived_at INTEGER NOT NULL);
CREATE INDEX original_pending ON original (id) WHERE state = 'pending';

CREATE TABLE circle (
  id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL DEFAULT '', picture_id INTEGER REFERENCES original,
  language TEXT NOT NULL DEFAULT 'en', setup_step TEXT NOT NULL DEFAULT 'code', away_address TEXT NOT NULL DEFAULT '',
  away_open_until INTEGER NOT NULL DEFAULT 0, claimed_at INTEGER);
INSERT INTO circle (id) VALUES (1);

CREATE TABLE member (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, colour INTEGER NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('admin', 'member')), picture_id INTEGER REFERENCES original,
  joined_at INTEGER NOT NULL, left_at INTEGER, language TEXT NOT NULL DEFAULT 'en', zone TEXT NOT NULL DEFAULT '',
  text_size INTEGER NOT NULL DEFAULT 1, theme TEXT NOT NULL DEFAULT 'auto');
CREATE TRIGGER member_limit BEFORE INSERT ON member
WHEN (SELECT count(*) FROM member WHERE left_at IS NULL) >= 12
BEGIN SELECT RAISE(ABORT, 'house full'); END;

CREATE TABLE device (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, member_id INTEGER REFERENCES member,
  kind TEXT NOT NULL CHECK (kind IN ('personal', 'shared', 'frame', 'program')), name TEXT NOT NULL,
  paired_at INTEGER NOT NULL, used_on INTEGER NOT NULL, revoked_at INTEGER);
CREATE TRIGGER device_limit BEFORE INSERT ON device
WHEN (SELECT count(*) FROM device WHERE revoked_at IS NULL) >= 12
BEGIN SELECT RAISE(ABORT, 'house full'); END;
CREATE TABLE token (
  hash BLOB PRIMARY KEY, device_id INTEGER NOT NULL REFERENCES device, door TEXT NOT NULL, made_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX token_device ON token (device_id);

CREATE TABLE invitation (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, once TEXT UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('member', 'device', 'setup', 'recover')), name TEXT NOT NULL,
  role TEXT NOT NULL, member_id INTEGER REFERENCES member, made_by INTEGER REFERENCES member,
  link_hash BLOB UNIQUE, code_hash BLOB, made_at INTEGER NOT NULL, link_until INTEGER NOT NULL,
  code_until INTEGER NOT NULL, tries_home INTEGER NOT NULL DEFAULT 0, tries_away INTEGER NOT NULL DEFAULT 0,
  used_at INTEGER, revoked_at INTEGER);
CREATE INDEX invitation_code ON invitation (code_hash) WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE TABLE guess (bucket TEXT NOT NULL, at INTEGER NOT NULL);
CREATE INDEX guess_bucket ON guess (bucket, at);

CREATE TABLE audience (id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE);
INSERT INTO audience (id, members) VALUES (1, '');
CREATE TABLE audience_member (
  audience_id INTEGER NOT NULL REFERENCES audience, member_id INTEGER NOT NULL REFERENCES member,
  PRIMARY KEY (member_id, audience_id)) WITHOUT ROWID;

CREATE TABLE item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE,
  original_id INTEGER NOT NULL REFERENCES original, member_id INTEGER NOT NULL REFERENCES member,
  kind TEXT NOT NULL CHECK (kind IN ('photo', 'video', 'link', 'file')), name TEXT NOT NULL,
  caption TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', taken TEXT,
  place_shared INTEGER NOT NULL DEFAULT 0, added_at INTEGER NOT NULL, deleted_at INTEGER, deleted_by INTEGER);
CREATE INDEX item_original ON item (original_id);
CREATE TABLE upload (
  id TEXT PRIMARY KEY, member_id INTEGER NOT NULL REFERENCES member, device_id INTEGER NOT NULL REFERENCES device,
  size INTEGER NOT NULL, "offset" INTEGER NOT NULL DEFAULT 0, metadata TEXT NOT NULL, made_at INTEGER NOT NULL,
  until INTEGER NOT NULL, item_id INTEGER REFERENCES item) WITHOUT ROWID;

CREATE TABLE post (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, author_id INTEGER NOT NULL REFERENCES member,
  text TEXT NOT NULL, audience_id INTEGER NOT NULL REFERENCES audience, shared_at INTEGER NOT NULL, edited_at INTEGER,
  deleted_at INTEGER, deleted_by INTEGER REFERENCES member, once TEXT NOT NULL, UNIQUE (author_id, once));
CREATE INDEX post_audience ON post (audience_id, id) WHERE deleted_at IS NULL;
CREATE INDEX post_author ON post (author_id, id) WHERE deleted_at IS NULL;
CREATE TABLE post_reader (
  member_id INTEGER NOT NULL REFERENCES member, post_id INTEGER NOT NULL REFERENCES post,
  PRIMARY KEY (member_id, post_id)) WITHOUT ROWID;
CREATE INDEX post_reader_post ON post_reader (post_id);
CREATE TABLE post_item (
  post_id INTEGER NOT NULL REFERENCES post, position INTEGER NOT NULL, item_id INTEGER NOT NULL REFERENCES item,
  PRIMARY KEY (post_id, position)) WITHOUT ROWID;
CREATE INDEX post_item_item ON post_item (item_id);

CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT, token TEXT NOT NULL UNIQUE, verb TEXT NOT NULL,
  actor_id INTEGER REFERENCES member, subject TEXT NOT NULL, audience_id INTEGER NOT NULL REFERENCES audience,
  at INTEGER NOT NULL);
CREATE INDEX event_audience ON event (audience_id, id);

CREATE TABLE job_run (
  name TEXT PRIMARY KEY, began_at INTEGER NOT NULL, took_ms INTEGER NOT NULL, outcome TEXT NOT NULL) WITHOUT ROWID;
"""


def up(migrator, db):
    statement = ""
    for line in TABLES.splitlines():
        statement += line + "\n"
        # a trigger holds semicolons of its own: it ends with END;
        trigger = "CREATE TRIGGER" in statement
        if line.endswith("END;") if trigger else line.endswith(";"):
            db.execute_sql(statement)
            statement = ""
