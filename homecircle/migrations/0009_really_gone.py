"""Really gone: what is still to be taken out of files and backups, and the indexes by which rows go quickly.

`forgotten` names (by random ids alone, no words) what goes from every backup too; `here_at` and `there_at` are when it
had gone there. `leftover` are files whose row has gone: so a crash never leaves bytes that nobody knows of. Numbers of
originals are never given twice, since how safe one is goes by its number (`safety.upto`). `find_worn` counts changes
that left words behind in the pieces of the search index.
"""

STATEMENTS = [
    """CREATE TABLE forgotten (
      public_id TEXT PRIMARY KEY, kind TEXT NOT NULL, by_id INTEGER NOT NULL REFERENCES member, at INTEGER NOT NULL,
      here_at INTEGER, there_at INTEGER) WITHOUT ROWID""",
    "CREATE TABLE leftover (path TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE find_worn (id INTEGER PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL)",
    "INSERT INTO find_worn (id, n) VALUES (1, 1)",
    "ALTER TABLE circle ADD COLUMN originals_top INTEGER NOT NULL DEFAULT 0",
    """CREATE TRIGGER original_gone AFTER DELETE ON original BEGIN
      UPDATE circle SET originals_top = max(originals_top, OLD.id); END""",
    "CREATE INDEX post_trash ON post (deleted_at) WHERE deleted_at IS NOT NULL",
    "CREATE INDEX item_trash ON item (deleted_at) WHERE deleted_at IS NOT NULL",
    "CREATE INDEX message_trash ON message (deleted_at) WHERE deleted_at IS NOT NULL",
    # without these each row that goes would be looked for in all the rows that may point at it
    "CREATE INDEX message_thread ON message (post_id)",
    "CREATE INDEX message_quote ON message (quote_id) WHERE quote_id IS NOT NULL",
    "CREATE INDEX thread_cursor_post ON thread_cursor (post_id)",
    "CREATE INDEX event_post ON event (post_id) WHERE post_id IS NOT NULL",
    "CREATE INDEX event_subject ON event (subject)",
    "CREATE INDEX event_at ON event (at)",
]


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
