"""Links: what a post's link leads to, and links kept in the vault without a post.

A row with a post is asked for by its author while previews are on, and goes with its post. A row without one is a
member's own. The picture is a few kilobytes in the row itself: it was fetched once and cannot be drawn again, so it may
not lie in `renditions/`; and it is gone with its row.
"""

TABLES = """
ALTER TABLE circle ADD COLUMN link_previews INTEGER NOT NULL DEFAULT 0;
CREATE TABLE link (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE,
  post_id INTEGER REFERENCES post ON DELETE CASCADE, member_id INTEGER NOT NULL REFERENCES member,
  url TEXT NOT NULL, note TEXT NOT NULL DEFAULT '',
  state TEXT NOT NULL CHECK (state IN ('none', 'pending', 'ready')),
  title TEXT NOT NULL DEFAULT '', site TEXT NOT NULL DEFAULT '',
  width INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
  added_at INTEGER NOT NULL, fetched_at INTEGER, deleted_at INTEGER, picture BLOB, UNIQUE (post_id, url));
CREATE INDEX link_pending ON link (id) WHERE state = 'pending';
CREATE INDEX link_kept ON link (member_id, id) WHERE post_id IS NULL;
"""


def up(migrator, db):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
