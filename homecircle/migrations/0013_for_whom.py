"""For whom an item is that stands in no post: its own audience (NULL: only who added it), as one more way to see it."""

LOOK = "INSERT INTO item_audience (item_id)"


def up(migrator, db):
    db.execute_sql("ALTER TABLE item ADD COLUMN audience_id INTEGER REFERENCES audience")
    # The rule on the view goes with the view: it is taken as it stands, and only what it looks at becomes wider.
    rule, view = (
        db.execute_sql("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        for name in ("item_places", "item_audience")
    )
    db.execute_sql("DROP VIEW item_audience")
    db.execute_sql(f"{view} UNION ALL SELECT item.id, item.audience_id FROM item WHERE item.audience_id IS NOT NULL")
    db.execute_sql(rule)
    db.execute_sql(
        f"""CREATE TRIGGER item_shared AFTER UPDATE OF audience_id ON item
        WHEN OLD.audience_id IS NOT NEW.audience_id BEGIN {LOOK} VALUES (NEW.id); END"""
    )
