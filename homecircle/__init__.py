"""HomeCircle: a private micro-network for one family, on the family's own machine.

The house in one docstring. A reader asks two questions, *which noun?* and *does it know HTTP?*, and has the file.

Floors, top to bottom; a module imports only from floors below its own (``lint-imports`` holds it, exhaustively)::

    __main__ > cli > server | rehearsal > listening > web > jobs | mdns | control | endings > sample | doctor
      > archive > backup > membership | trash > search | notices > threads | drafts > feed > presence > vault
      > devices > audiences > circle > members > events > db > files | config | network > errors

    web:  pages > doorstep | people | cards | shots | strips > guard > doors | rendering | house | sending
          | composing | reserve > streams

Nouns: ``feed`` (posts, marks), ``drafts`` (posts that wait for their first item), ``threads`` (messages under
a post), ``presence`` (who is here; waves),
``vault`` (photos, videos, files, ``serving`` them; ``uploads``, their ``digests``; ``timeline`` by month; ``links``,
their ``previews`` and the way ``outside``; ``decoder``, the one child that opens hostile bytes, and the
``renditions`` it draws), ``audiences`` (who may see), ``devices`` (places, invitations, asking, sheets, shared devices,
home and away tokens),
``circle`` (the house's own facts), ``members`` (people and roles), ``notices`` (what is new), ``trash`` (what was
removed, and how it really goes), ``events`` (what happened), ``archive`` (the way out, and back), ``files`` (the data
folder and the only hand that writes in it), ``db`` (the SQLite file).

Each noun has a page module of the same name in ``web/``, and the same name again in ``templates/``, ``static/css/``,
``tests/``, ``tests/web/`` and in the URL. Nouns know no HTTP; pages know no SQL. A page reads the form, calls one verb
that writes, and answers. A verb checks, then one immediate transaction holds the change *and its event*. Files first,
rows second. What one may not see does not exist. Times are UTC and end in ``_at``; order is by an internal number,
never by a clock; what stands in a URL, a hint or a cursor is random.
"""

__version__ = "0.1.0"
