"""The news that somebody joined is a post (its words are made where it is read, in the reader's language); a welcome.

`welcome` goes with the invitation to the member it is for: NULL when there is none (any more), '' for the house's own
words. Who took a message back is known, since that one alone can put it back.
"""

STATEMENTS = [
    "ALTER TABLE post ADD COLUMN kind TEXT NOT NULL DEFAULT '' CHECK (kind IN ('', 'joined'))",
    "ALTER TABLE invitation ADD COLUMN welcome TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE member ADD COLUMN welcome TEXT",
    "ALTER TABLE message ADD COLUMN deleted_by INTEGER REFERENCES member",
    "ALTER TABLE member ADD COLUMN welcomed_by INTEGER REFERENCES member",
]


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
