"""Pictures that move are shown moving, and what cannot be drawn stands with the files."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE original ADD COLUMN moves INTEGER NOT NULL DEFAULT 0")
    # those that are there already are looked at once more
    db.execute_sql(
        "UPDATE original SET state = 'pending' WHERE media_type IN ('image/gif', 'image/webp') AND state = 'ready'"
    )
    db.execute_sql(
        "UPDATE item SET kind = 'file' WHERE kind IN ('photo', 'video') AND original_id IN "
        "(SELECT id FROM original WHERE state = 'failed' AND reason <> 'missing')"
    )
