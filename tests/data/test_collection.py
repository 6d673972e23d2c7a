"""A collection opens its pictures when they are read, and holds none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_worlds import noisy_pictures

from synth import data
from synth.data.collection import Collection
from synth.errors import InputError


def test_pictures_that_are_named_are_checked_and_forgotten(tmp_path: Path) -> None:
    folder = noisy_pictures(tmp_path / "pictures", 3)
    paths = sorted(str(path) for path in folder.iterdir())
    collection = Collection(paths)
    assert not any(isinstance(source, data.Picture) for source in collection._sources)
    assert (collection.names, collection.folders) == (
        ["00.png", "01.png", "02.png"],
        ["pictures"] * 3,
    )
    batches = list(collection.batches((16, 16), 2))
    assert [batch.places.tolist() for batch in batches] == [[0, 1], [2]]
    images = torch.cat([batch.images for batch in batches])
    assert torch.equal(images[2], data.picture(paths[2]).at((16, 16)))
    with pytest.raises(InputError, match="no such file"):
        Collection([*paths, str(folder / "03.png")])
