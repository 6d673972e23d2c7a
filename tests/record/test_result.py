"""`Result`, `Item`, `Figure`: their dictionaries, which are result.json, and back."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.record.json_text import dumps
from synth.record.result import Figure, Item, NetworkInfo, Result

_texts = st.text(max_size=6)
_numbers = st.floats(allow_nan=False, allow_infinity=False)
_values = {
    "str": _texts,
    "int": st.integers(-(2**40), 2**40),
    "float": _numbers,
    "bool": st.booleans(),
    "list[dict[str, Json]]": st.lists(st.fixed_dictionaries({"id": st.integers(0, 9)}), max_size=2),
}
ITEM_FIELDS = [field for field in fields(Item) if field.name != "extra"]
_extra = st.dictionaries(
    st.sampled_from(["critical", "feature_error", "unrounded_l2"]),
    st.one_of(st.none(), st.booleans(), _numbers),
)
_item_values = st.fixed_dictionaries(
    {
        field.name: st.one_of(st.none(), _values[str(field.type).removesuffix(" | None")])
        for field in ITEM_FIELDS
    }
    | {"extra": _extra}
)
_optional_text = st.one_of(st.none(), _texts)
_result_values = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["done", "interrupted"]),
        "seconds": st.one_of(st.none(), _numbers),
        "device": _optional_text,
        "versions": st.dictionaries(_texts, _texts, max_size=2),
        "search": _optional_text,
        "encoding": _optional_text,
        "findings": st.dictionaries(_texts, st.one_of(st.none(), _numbers, _texts), max_size=3),
        "archive": st.one_of(st.none(), st.just({"steps": [0, 1], "names": ["lemon"]})),
        "contenders": st.one_of(st.none(), st.just({"gradient": {"budget": 60}})),
        "layers": st.one_of(st.none(), st.just([{"layer": "conv1", "shape": [8, 16, 16]}])),
        "recipe": _optional_text,
        "overrides": st.one_of(st.none(), st.lists(_texts, max_size=2)),
        "configuration": _optional_text,
    }
)


@given(_item_values)
def test_an_item_comes_back_from_its_dictionary_and_from_json(values: dict[str, Any]) -> None:
    item = Item(**values)
    assert Item.from_dict(item.to_dict()) == item
    assert Item.from_dict(json.loads(dumps(item.to_dict()))) == item


@given(_result_values, st.lists(_item_values, max_size=3), st.booleans())
def test_a_result_comes_back_from_its_dictionary_and_from_json(
    values: dict[str, Any], item_values: list[dict[str, Any]], nested: bool
) -> None:
    result = Result(**values, items=[Item(**item) for item in item_values])
    if nested:
        result.network = NetworkInfo("mini_alexnet", "f" * 64)
        result.transfer = NetworkInfo("mini_resnet")
        result.figures = [Figure("figures/000.png", "All images."), Figure("walk.webp", "")]
    assert Result.from_dict(result.to_dict()) == result
    assert Result.from_dict(json.loads(dumps(result.to_dict()))) == result


def test_optional_fields_that_are_none_are_left_out() -> None:
    assert Item().to_dict() == dict.fromkeys(
        ("file", "target", "predicted", "confidence", "success", "seconds", "linf", "l2")
    )
    assert Item(score=1.5, extra={"critical": None}).to_dict().items() >= {
        ("score", 1.5),
        ("critical", None),
    }
    assert Result("done").to_dict() == {
        "status": "done",
        "seconds": None,
        "device": None,
        "versions": {},
        "network": None,
        "search": None,
        "encoding": None,
        "items": [],
        "findings": {},
        "figures": [],
    }


def test_unknown_keys_become_extra_in_an_item_and_are_left_out_of_a_result() -> None:
    assert Item.from_dict({"file": "a.png", "depth": 3}) == Item(file="a.png", extra={"depth": 3})
    record = {"status": "done", "another": 1, "items": [{"target": "lemon"}]}
    assert Result.from_dict(record) == Result("done", items=[Item(target="lemon")])


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"status": "done", "figures": [{"file": "a.png"}]},
        {"status": "done", "network": {"sha256": "f"}},
    ],
)
def test_a_record_of_another_form_raises(record: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="missing"):
        Result.from_dict(record)


def test_passes_count_a_backward_twice() -> None:
    assert Item(forwards=3, backwards=2).passes == 7
    assert Item().passes == 0
