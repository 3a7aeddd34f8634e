"""What somebody added is found by the day, for the line that says until when all of it is proven."""


def up(migrator, db):
    db.execute_sql(
        "CREATE INDEX IF NOT EXISTS item_by_member ON item (member_id, added_at, original_id) WHERE deleted_at IS NULL"
    )
