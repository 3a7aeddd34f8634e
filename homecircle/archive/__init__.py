"""The way out, and back: everything as plain files that open without HomeCircle, and in again without loss.

What is taken out is a folder (or the same as a ZIP): pages of HTML by month with their talks, originals by date, and
``posts.json``, which says all of it once more for programs. It opens from a USB stick in any browser, with no server
and no script; names are such that FAT keeps them. What lies in the trash stays behind, and so do devices and secrets.

How much there is depends on who asks. *The house* is everything and is taken only on the machine itself. *A member*
takes what that member may see: own originals as they came, those of others without place and serials; what one may not
see is not there, not even as a gap. *Own* is what that member shared, said and added.

Coming back, an empty house becomes the one that was taken out: the same people, ids, order, words and bytes. In a house
that is lived in only the photos and films come, for the one who brings them.
"""

from __future__ import annotations

from homecircle.archive.carrying import Exported, Packed, export, pack, weigh
from homecircle.archive.reading import is_export
from homecircle.archive.returning import Returned, bring_back
from homecircle.archive.scope import Scope

__all__ = ["Exported", "Packed", "Returned", "Scope", "bring_back", "export", "is_export", "pack", "weigh"]
