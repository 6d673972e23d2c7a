"""Static HTML pages of run folders. They open from disk, with no server and no network.

The gallery reads finished run folders only, of this release and of all earlier ones; it never uses
live objects and does not import torch.

`build_run_page` writes the page of one run, `build_page` one page over several, `Overview` that and
its tables.

=============  ================================================================
module         what it is
=============  ================================================================
`finding`      search for run folders under a path
`folder`       a run folder: `Run`, `Item`, `Figure`
`pictures`     picture files: size, or why they cannot be shown
`old_words`    words of earlier releases and the present ones
`numerals`     JSON values as text
`cards`        items with captions
`details`      the record of an item as lines of text
`criterion`    what counts as success, in a few words
`tables`       summary line, findings, tables
`curves`       ``steps.jsonl`` as SVG charts
`archive`      the cells of a MAP-Elites archive over time
`heatmap`      the archive as a confidence map
`lineage`      the film strip of an elite's ancestors
`map_page`     the page of a map of pictures
`templating`   the templates
`inline`       escaping of untrusted text
`colophon`     versions and hardware
`page`         the whole page of a run
`entries`      what a page over many runs keeps of each
`thumbnails`   small copies of large pictures
`spreads`      the table of methods, with intervals
`compare`      the whole page over many runs
`item_tables`  ``runs.csv`` and ``runs.parquet``
`overview`     that page and its tables, written again as runs are added
`templates/`   Jinja templates, style sheets and scripts
=============  ================================================================
"""

from synth.gallery.page import build_page, build_run_page

__all__ = ["build_page", "build_run_page"]
