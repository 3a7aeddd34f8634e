"""Films: how long one is, and which of its bytes tell a place, a serial or an owner (NULL: it cannot be cleaned)."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE original ADD COLUMN duration REAL NOT NULL DEFAULT 0")
    db.execute_sql("ALTER TABLE original ADD COLUMN blanks TEXT")
    # films that are there already are looked at once more
    db.execute_sql("UPDATE original SET state = 'pending' WHERE media_type LIKE 'video/%' AND state = 'kept'")
