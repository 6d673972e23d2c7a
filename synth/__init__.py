"""Images synthesised from convolutional networks: any search, on any encoding, under any objective."""

from beartype.claw import beartype_this_package

__version__ = "0.1.0"

beartype_this_package()
