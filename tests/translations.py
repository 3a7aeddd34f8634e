"""The catalogues of the page's words: gather, compile, check that they are fresh.

python tests/translations.py           gather the words of code and templates into the catalogues, compile them
python tests/translations.py --check   fail when that would change anything, or when a language lacks a word
"""

from __future__ import annotations

import datetime as dt
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PLACE = ROOT / "homecircle" / "translations"
REFUSALS = ("NotFound", "NotAllowed", "Invalid", "Conflict", "HouseFull", "TooMany", "TooLarge", "NoSpace",
            "Unwritable", "Busy")  # fmt: skip
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None} | dict.fromkeys(REFUSALS)


def gather() -> Catalog:
    """Return every sentence of the house, as one template."""
    found = Catalog(project="HomeCircle", charset="utf-8", fuzzy=False)
    for folder, method in (("homecircle", "python"), ("templates", "jinja2.ext.babel_extract")):
        pattern = "**.py" if method == "python" else "**.html"
        options = {pattern: {"newstyle_gettext": "true", "trimmed": "true"}} if method != "python" else {}
        rows = extract_from_dir(ROOT / folder, [(pattern, method)], options, KEYWORDS)
        for _name, _line, message, comments, context in rows:
            found.add(message, context=context, auto_comments=comments)
    for name in _more():
        found.add(name)
    return found


def _more() -> list[str]:
    """Words that are data in the code: the names of the colours, and what a status means."""
    sys.path.insert(0, str(ROOT))
    from homecircle.errors import NotFound
    from homecircle.members import COLOURS
    from homecircle.web import SENTENCES

    return [*COLOURS, *SENTENCES.values(), NotFound().message]


def _text(catalog: Catalog) -> bytes:
    written = io.BytesIO()
    write_po(written, catalog, width=110, sort_output=True, omit_header=True, no_location=True, ignore_obsolete=True)
    return written.getvalue()


def _compiled(catalog: Catalog) -> bytes:
    # babel writes this date into the file: today's would make every file stale a minute later
    catalog.creation_date = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    written = io.BytesIO()
    write_mo(written, catalog)
    return written.getvalue()


def main() -> int:
    check, problems = "--check" in sys.argv, []
    template = gather()
    for path in sorted(PLACE.glob("*/LC_MESSAGES/messages.po")):
        language = path.parts[-3]
        catalog = read_po(io.BytesIO(path.read_bytes()), locale=language)
        catalog.update(template, no_fuzzy_matching=True)
        missing = [message.id for message in catalog if message.id and not all(_strings(message))]
        problems += [f"{language}: no words for {str(each)[:70]!r}" for each in missing]
        mo = path.with_suffix(".mo")
        if check:
            stale = _text(catalog) != path.read_bytes() or not mo.exists() or _compiled(catalog) != mo.read_bytes()
            problems += [f"{language}: not fresh; run python tests/translations.py"] if stale else []
        else:
            path.write_bytes(_text(catalog))
            mo.write_bytes(_compiled(read_po(io.BytesIO(path.read_bytes()), locale=language)))
    print("\n".join(problems) or f"{len(template)} sentences, every language whole")
    return 1 if problems else 0


def _strings(message: object) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


if __name__ == "__main__":
    sys.exit(main())
