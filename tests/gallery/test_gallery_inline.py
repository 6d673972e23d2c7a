"""Untrusted data inside HTML reads back equal and never closes the element around it."""

import json
from pathlib import Path
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from synth.gallery.inline import inline_json, link

texts = st.text() | st.sampled_from(
    ["</script>", "<!--", "]]>", "&lt;", "\u2028\u2029", "\\u003c", "<script"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_json_reads_back_equal_and_cannot_leave_its_script(value: object) -> None:
    text = str(inline_json(value))
    assert json.loads(text) == value
    assert not set(text) & {"<", ">", "&", "\u2028", "\u2029"}


names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
)


@given(names.filter(lambda name: name not in (".", "..")))
def test_a_link_is_plain_and_leads_back_to_the_file(name: str) -> None:
    root = Path("/nowhere/runs")
    url = link(root / "a run" / name, root / "index.html")
    assert unquote(url) == f"a run/{name}"
    assert not set(url) & set("<>\"' #?&:\\")


def test_links_go_up_where_the_page_lies_elsewhere() -> None:
    assert (
        link(Path("/nowhere/runs/x/000.png"), Path("/nowhere/pages/p.html")) == "../runs/x/000.png"
    )
