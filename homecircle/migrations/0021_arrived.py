"""How sure it is that an item is what lay on its sender's device.

`item.arrival` is 'equal' when the sender's own SHA-256 of the file is that of the original, 'different' when it is not
(the file is then asked for once more), '' when nobody told one: then it is only as large as it was there.
"""


def up(migrator, db):
    db.execute_sql("ALTER TABLE item ADD COLUMN arrival TEXT NOT NULL DEFAULT ''")
