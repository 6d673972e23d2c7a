"""The contract tests of every kind of part, for parts outside of this package too.

    pytest --pyargs synth.contract                          # all parts of all installed plug-ins
    SYNTH_CONTRACT=my_conf pytest --pyargs synth.contract   # those of a folder of your own

What a part needs in a test stands in its YAML, ``# test: +image=china``. pytest has to be there;
nothing else in the package imports this folder.

    test_*.py    the tests of each kind
    cases.py     which parts they run for
    parts.py     parts composed and built from their YAML
    worlds.py    small problems and a tiny network
    console.py   the command line in this process, and its weights
    fixtures.py  what the tests are given
    conftest.py  the parts of plug-ins and of the folders that are named
"""

import pytest

# by pytest's own loader, whose fixtures no type checker wraps
pytest.register_assert_rewrite(f"{__name__}.fixtures")
