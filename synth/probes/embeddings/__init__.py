"""What the probe `synth.probes.embedding` is made of: vectors of pictures, compared and drawn.

=============  =====================================================================
module         what it is
=============  =====================================================================
`vectors`      the tally of a pass: a vector, pixels and a thumbnail of each picture
`neighbours`   nearest neighbours, a block of distances at a time
`projections`  PCA, t-SNE and UMAP, and how far classes are apart in them
`runs`         the pictures of earlier runs
`sheets`       neighbours side by side, and a map of pictures
`viewer`       the files that the page of the map is made of
`parquet`      the table that published viewers of maps open
=============  =====================================================================
"""
