"""On which device an invitation was made: what a stolen phone made in its last days ends with it."""


def up(migrator, db):
    db.execute_sql("ALTER TABLE invitation ADD COLUMN made_on INTEGER REFERENCES device")
