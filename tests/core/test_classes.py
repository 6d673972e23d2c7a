"""The index of a class by name, synset or number, and the errors for unknown ones."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.core.classes import Classes
from synth.errors import InputError
from synth.networks.class_names import IMAGENET

CLASSES = Classes(
    [
        "goldfish, Carassius auratus",
        "king penguin, Aptenodytes patagonica",
        "school bus",
        "T-shirt",
        "crane",
        "crane",
    ],
    ["n01443537", "n02056570", "n04146614", None, "n02012849", "n03126707"],
    [1, 145, 779, None, 134, 517],
)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("goldfish", 0),
        ("GoldFish", 0),
        ("Carassius auratus", 0),
        ("carassius_auratus", 0),
        ("goldfish, Carassius auratus", 0),
        ("n01443537", 0),
        ("N02056570", 1),
        ("king penguin", 1),
        ("king_penguin", 1),
        (" King-Penguin ", 1),
        ("school  bus", 2),
        ("t shirt", 3),
        (3, 3),
        ("3", 3),
        (0, 0),
        ("5", 5),
        ("crane", 4),
        ("n03126707", 5),
    ],
)
def test_one_class(name: str | int, index: int) -> None:
    assert CLASSES.index(name) == index


def test_several_and_all() -> None:
    assert CLASSES.indices("all") == [0, 1, 2, 3, 4, 5]
    assert CLASSES.indices(["teacher", 2][1:]) == [2]
    assert CLASSES.indices(["school bus", "n01443537", 1]) == [2, 0, 1]
    assert CLASSES.indices("school bus") == [2]
    assert CLASSES.indices(4) == [4]
    assert len(CLASSES) == 6
    with pytest.raises(InputError, match="name at least one class, or write target=all"):
        CLASSES.indices([])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("goldfsh", r"target=goldfsh: box has no such class\. Did you mean goldfish\?"),
        ("king pengin", "king penguin"),
        ("scool_bus", "school bus"),
        ("qqqqqq", "synth list classes"),
        ("penguin", r"no such class\. It has king penguin\."),
        ("bus", "school bus"),
        (6, "target=6: box has classes 0 to 5"),
        ("-1", "target=-1: box has classes 0 to 5"),
        (-1, "classes 0 to 5"),
        ("1000", "classes 0 to 5"),
        ("--1", "no such class"),
        ("²", "no such class"),
        ("", "no such class"),
    ],
)
def test_mistakes_are_reported_in_one_line(name: str | int, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        CLASSES.index(name, "box")
    assert "\n" not in str(error.value)


def test_classes_without_names() -> None:
    with pytest.raises(InputError, match=r"target=goldfish: net has classes 0 to 4\.$"):
        Classes(["0", "1", "2", "3", "4"]).index("goldfish", "net")


def test_all_wrong_names_are_reported_at_once() -> None:
    classes = Classes(["goldfish", *(f"dog, dog of kind {kind}" for kind in "ABCDEFGHIJ")])
    with pytest.raises(InputError) as error:
        classes.indices(["kind", "goldfish", "gold fsh", "gold fsh", 11], "box")
    assert str(error.value) == (
        "target=kind: box has no such class. It has dog of kind A, dog of kind B, dog of kind C, "
        "dog of kind D, dog of kind E, dog of kind F, dog of kind G, dog of kind H and 2 more. "
        "target=gold fsh: box has no such class. Did you mean goldfish? "
        "target=11: box has classes 0 to 10."
    )


@given(st.text(max_size=12))
def test_any_text_is_a_class_or_an_input_error(text: str) -> None:
    message = ""
    try:
        assert 0 <= CLASSES.index(text) < 6
    except InputError as error:
        message = str(error)
    assert not message or message.startswith("target=")


def test_labels_are_the_first_names() -> None:
    assert [CLASSES.label(index) for index in range(3)] == [
        "goldfish",
        "king penguin",
        "school bus",
    ]


def test_imagenets_synsets_are_whole() -> None:
    with IMAGENET.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    synsets = [row["wnid"] for row in rows]
    assert len(set(synsets)) == 1000
    assert synsets == sorted(synsets)  # ImageNet orders its classes by WordNet id
    assert synsets[1] == "n01443537"  # goldfish
    assert synsets[999] == "n15075141"  # toilet tissue


def test_names_that_differ_by_their_capitals_alone() -> None:
    classes = Classes(["Cardigan", "cardigan"])
    assert classes.indices(["Cardigan", "cardigan", "CARDIGAN"]) == [0, 1, 0]


def test_the_same_class_of_another_network() -> None:
    classes = Classes(["crane, lifting machine", "crane, bird", "tench"], ["n031", "n020", None])
    other = Classes(["bird, crane", "tench, Tinca tinca", "machine"], ["n020", None, "n031"])
    assert [classes.counterpart(index, other) for index in range(3)] == [2, 0, 1]
    assert [other.counterpart(index, classes) for index in range(3)] == [1, 2, 0]
    # without synsets: by name, all names together before each alone
    named = Classes(["Tench", "crane"])
    assert [classes.counterpart(index, named) for index in range(3)] == [1, 1, 0]
    exact = Classes(["cardigan", "Cardigan, Cardigan Welsh corgi"])
    assert [exact.counterpart(index, exact) for index in range(2)] == [0, 1]
    assert classes.counterpart(0, Classes(["goldfish"], ["n014"])) is None
    assert classes.counterpart(2, Classes(["goldfish"])) is None
