"""Takes run folders; gives static HTML pages of them that open from disk, with no server and no network."""

from synth.gallery.page import build_page, build_run_page

__all__ = ["build_page", "build_run_page"]
