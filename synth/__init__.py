"""Images synthesised from convolutional networks: any search, any encoding, any objective."""

from beartype import BeartypeConf
from beartype.claw import beartype_this_package

__version__ = "0.1.0"

# is_pep484_tower: a whole number is accepted for a float
beartype_this_package(conf=BeartypeConf(is_pep484_tower=True))
