"""How an item came, and with what it left: a photo that came with a post goes with it, and comes back with it.

`item.came_with` is 1 for what was added for a post or a reply. `item.left_with` is the public id of the post or reply
with which it went into the trash, '' while it is here and for what was removed by itself. `coming.place_shared` is what
the poster ticked for a file that is still on its way. And what is kept as a link is found by search, by its keeper.
"""

WORDS = "{0}note || ' ' || {0}title || ' ' || substr({0}url, instr({0}url, '//') + 2)"  # no scheme: that finds posts
FACTS = """CASE WHEN {0}deleted_at IS NULL THEN 'ƒk ƒr' || {0}member_id || ' ƒm' || {0}member_id || ' ƒt'
  || strftime('%Y%m', {0}added_at, 'unixepoch', 'localtime') ELSE '' END"""
NEW = [each.format("NEW.") for each in (FACTS, WORDS)]
STATEMENTS = [
    "ALTER TABLE item ADD COLUMN came_with INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE item ADD COLUMN left_with TEXT NOT NULL DEFAULT ''",
    "UPDATE item SET came_with = 1 WHERE id IN (SELECT item_id FROM post_item UNION SELECT item_id FROM message_item)",
    "CREATE INDEX item_left ON item (left_with) WHERE left_with <> ''",
    "ALTER TABLE coming ADD COLUMN place_shared INTEGER NOT NULL DEFAULT 0",
    f"""CREATE TRIGGER link_found AFTER INSERT ON link WHEN NEW.post_id IS NULL BEGIN
      INSERT INTO find (kind, number, facts, words) VALUES ('link', NEW.id, {NEW[0]}, {NEW[1]}); END""",
    f"""CREATE TRIGGER link_turned AFTER UPDATE OF url, note, title, deleted_at ON link WHEN NEW.post_id IS NULL BEGIN
      UPDATE find SET facts = {NEW[0]}, words = {NEW[1]} WHERE kind = 'link' AND number = NEW.id; END""",
    "CREATE TRIGGER link_gone AFTER DELETE ON link BEGIN DELETE FROM find WHERE kind = 'link' AND number = OLD.id; END",
    f"""INSERT INTO find (kind, number, facts, words)
      SELECT 'link', id, {FACTS.format("")}, {WORDS.format("")} FROM link WHERE post_id IS NULL ORDER BY id""",
]


def up(migrator, db):
    for statement in STATEMENTS:
        db.execute_sql(statement)
