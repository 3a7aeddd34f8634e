"""Posts that wait for their first item, items that are still on their way to a post, and what a film looks like.

A draft is no post yet, so it stands in no table that anybody reads: what nobody else may see cannot be found by
mistake. `coming` names, by the sender's own key (`slot`), what has a place in a draft or a post and is not here yet.
"""

TABLES = """
ALTER TABLE upload ADD COLUMN slot TEXT NOT NULL DEFAULT '';
CREATE INDEX upload_slot ON upload (member_id, slot) WHERE slot <> '';
ALTER TABLE original ADD COLUMN poster_id INTEGER REFERENCES original;

CREATE TABLE draft (
  id INTEGER PRIMARY KEY AUTOINCREMENT, public_id TEXT NOT NULL UNIQUE, author_id INTEGER NOT NULL REFERENCES member,
  text TEXT NOT NULL, audience_id INTEGER NOT NULL REFERENCES audience, made_at INTEGER NOT NULL, once TEXT NOT NULL,
  UNIQUE (author_id, once));
CREATE TABLE coming (
  member_id INTEGER NOT NULL REFERENCES member, slot TEXT NOT NULL, post TEXT NOT NULL, position INTEGER NOT NULL,
  until INTEGER NOT NULL, PRIMARY KEY (member_id, slot)) WITHOUT ROWID;
CREATE INDEX coming_post ON coming (post);
"""


def up(migrator, db):
    for statement in TABLES.split(";\n"):
        if statement.strip():
            db.execute_sql(statement)
