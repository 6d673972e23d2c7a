"""Images synthesised from convolutional networks: any search, on any encoding, under any objective."""

from beartype import BeartypeConf
from beartype.claw import beartype_this_package

__version__ = "0.1.0"

beartype_this_package(
    conf=BeartypeConf(is_pep484_tower=True)
)  # a whole number serves where a number is wanted
