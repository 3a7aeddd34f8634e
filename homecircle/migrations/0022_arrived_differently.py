"""What did not come as it was on its sender's device is found at once: hardly ever is there any."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX IF NOT EXISTS item_differs ON item (member_id, added_at) WHERE arrival = 'different'")
