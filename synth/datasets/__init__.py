"""Data sets of what runs have made, in the layouts that others load with one line.

`export` reads finished run folders, of this release and of earlier ones, twice: once to learn the
classes, the copies and the splits, and once to write picture by picture. Between the two it keeps
some eighty bytes a picture. It does not import torch, unless embeddings are asked for.

=============  ================================================================
module         what it is
=============  ================================================================
`exporting`    from run folders to a data set, whole or not at all
`survey`       the first pass: which pictures there are, of which class
`columns`      what a record says of a picture
`copies`       exact and near copies of a picture
`splits`       training, validation and test pictures, by their content
`layout`       `Layout`, the base of the three layouts
`folder`       class folders with ``metadata.jsonl``
`webdataset`   tar files with a picture, its class and its record
`tables`       Parquet files with the features of Hugging Face
`embedding`    vectors of the pictures and their places on a map
`genomes`      the genomes and lineages of the runs
`card`         the data card, ``README.md``
`croissant`    the metadata of Croissant, ``croissant.json``
`gallery`      a job that makes the pictures too
=============  ================================================================

A new layout is a class derived from `Layout` in a file of this folder, and a line in `LAYOUTS` of
`exporting`.
"""

from synth.datasets.exporting import export

__all__ = ["export"]
