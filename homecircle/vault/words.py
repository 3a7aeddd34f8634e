"""How words are written so that search finds them: scripts without spaces are split into letters.

SQLite's unicode61 takes a run of letters for one word, so of a sentence in Chinese nothing but its beginning would be
found. What holds no such letter is '' here: the text itself is what search reads.
"""

from __future__ import annotations

import re

# Thai to Tibetan, Myanmar, Khmer, kana, Han with its extensions, half-width kana.
_UNSPACED = re.compile(
    "([\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff])"
)


def spelled(text: str) -> str:
    """Return the text with a space round every letter of a script without spaces."""
    return _UNSPACED.sub(r" \1 ", text)


def for_search(text: str) -> str:
    """Return what a noun writes into its column `words`: the text spelled, or '' when that is the text itself."""
    return spelled(text) if _UNSPACED.search(text) else ""
