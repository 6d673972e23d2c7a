"""Settings that all contenders of a comparison have in common."""

from __future__ import annotations

from synth.config.sharing import with_shared

SETTINGS = {
    "shared": {"budget": 5, "network": {"name": "a"}},
    "experiments": {
        "one": {"budget": 1, "seed": 2},
        "two": {"budget": 3, "network": {"name": "b"}},
        "gone": None,
    },
}


def test_shared_settings_replace_those_of_every_contender() -> None:
    assert with_shared(SETTINGS, [])["experiments"] == {
        "one": {"budget": 5, "seed": 2, "network": {"name": "a"}},
        "two": {"budget": 5, "network": {"name": "a"}},
        "gone": None,
    }


def test_what_the_user_wrote_for_one_contender_is_not_replaced() -> None:
    written = ["experiments.two.budget", "network@experiments.two.network"]
    experiments = with_shared(SETTINGS, written)["experiments"]
    assert experiments["two"] == {"budget": 3, "network": {"name": "b"}}
    assert experiments["one"] == {"budget": 5, "seed": 2, "network": {"name": "a"}}


def test_a_configuration_that_is_no_comparison_stays_as_it_is() -> None:
    assert with_shared({"search": {}}, ["experiments.two.budget"]) == {"search": {}}
