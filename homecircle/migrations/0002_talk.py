"""Talk: marks, messages under a post, what each member has seen, presence, and the log of what admins did."""

TABLES = """
CREATE TABLE mark (
  post_id INTEGER NOT NULL REFERENCES post, member_id INTEGER NOT NULL REFERENCES member, mark TEXT NOT NULL,
  made_at INTEGER NOT NULL, PRIMARY KEY (post_id, member_id)) WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, post_id INTEGER NOT NULL REFERENCES post,
  author_id INTEGER NOT NULL REFERENCES member, text TEXT NOT NULL, quote_id INTEGER REFERENCES message,
  said_at INTEGER NOT NULL, edited_at INTEGER, deleted_at INTEGER, once TEXT NOT NULL, UNIQUE (author_id, once));
CREATE INDEX message_post ON message (post_id, id) WHERE deleted_at IS NULL;
CREATE INDEX message_author ON message (author_id, post_id) WHERE deleted_at IS NULL;
CREATE TABLE message_item (
  message_id INTEGER NOT NULL REFERENCES message, position INTEGER NOT NULL, item_id INTEGER NOT NULL REFERENCES item,
  PRIMARY KEY (message_id, position)) WITHOUT ROWID;
CREATE INDEX message_item_item ON message_item (item_id);
CREATE TABLE thread_cursor (
  member_id INTEGER NOT NULL REFERENCES member, post_id INTEGER NOT NULL REFERENCES post, message_id INTEGER NOT NULL,
  PRIMARY KEY (member_id, post_id)) WITHOUT ROWID;

ALTER TABLE event ADD COLUMN post_id INTEGER REFERENCES post;
CREATE INDEX event_wave ON event (actor_id, audience_id, id) WHERE verb = 'wave.sent';

ALTER TABLE member ADD COLUMN seen_post INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN visit_post INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN visit_since INTEGER;
ALTER TABLE member ADD COLUMN active_at INTEGER;
ALTER TABLE member ADD COLUMN seen_event INTEGER NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN shares TEXT NOT NULL DEFAULT 'minute';
ALTER TABLE member ADD COLUMN here_at INTEGER;
ALTER TABLE member ADD COLUMN status TEXT NOT NULL DEFAULT '';
ALTER TABLE member ADD COLUMN status_until INTEGER;

CREATE TABLE deed (
  id INTEGER PRIMARY KEY AUTOINCREMENT, actor_id INTEGER NOT NULL REFERENCES member, verb TEXT NOT NULL,
  about TEXT NOT NULL, done_at INTEGER NOT NULL);
"""


def up(migrator, db):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
