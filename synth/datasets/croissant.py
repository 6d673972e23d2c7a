"""The metadata of Croissant, ``croissant.json``, which data set search reads.

http://mlcommons.org/croissant/1.0
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from synth.datasets.layout import Layout, meaning_of
from synth.datasets.survey import Survey
from synth.record.result import Json

TYPES = {
    "string": "sc:Text",
    "int64": "cr:Int64",
    "float64": "cr:Float64",
    "float32": "cr:Float32",
    "bool": "sc:Boolean",
    "image": "sc:ImageObject",
}
CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(survey: Survey, layout: Layout, title: str, licence: str) -> dict[str, Json]:
    """The metadata as JSON values.

    Args:
        survey: of the pictures.
        layout: that they were written in, all files of which are whole.
        title: of the data set.
        licence: as Hugging Face names it.
    """
    files = [_file(layout.folder, path, layout.kind) for path in layout.records]
    file_sets = [_file_set(layout, split, files) for split in survey.counts]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": title,
        "description": f"{len(survey):,} pictures of {len(survey.classes):,} classes that were "
        "made by searches through networks. README.md says how.",
        "license": licence,
        "version": "1.0.0",
        "keywords": ["synthetic", "image"],
        "distribution": [*files, *file_sets],
        "recordSet": [_record_set(layout, split) for split in survey.counts],
    }


def _file(folder: Path, path: Path, kind: str) -> dict[str, Json]:
    with open(folder / path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": str(path),
        "name": str(path),
        "contentUrl": str(path),
        "contentSize": f"{(folder / path).stat().st_size} B",
        "encodingFormat": kind,
        "sha256": digest,
    }


def _file_set(layout: Layout, split: str, files: list[dict[str, Json]]) -> dict[str, Json]:
    """What holds the records of a split: its files, or what is in its tar files."""
    start = layout.patterns[split].partition("*")[0]
    own = [file for file in files if str(file["@id"]).startswith(start)]
    values: dict[str, Json] = {
        "@type": "cr:FileSet",
        "@id": f"{split}-records",
        "name": f"{split}-records",
        "encodingFormat": layout.kind,
        "includes": [file["@id"] for file in own],
    }
    if layout.kind == "application/x-tar":
        values |= {
            "containedIn": [{"@id": file["@id"]} for file in own],
            "encodingFormat": "application/json",
            "includes": "*.json",
        }
    return values


def _record_set(layout: Layout, split: str) -> dict[str, Json]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{split}/{name}",
            "name": f"{split}/{name}",
            "description": _description(name, layout),
            "dataType": TYPES[kind],
            "source": {"fileSet": {"@id": f"{split}-records"}, **place},
        }
        for name, kind, place in layout.fields()
    ]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": fields}


def _description(name: str, layout: Layout) -> str:
    if layout.kind == "application/x-tar":
        return "the record of a picture, as JSON"
    own = {
        "image": "the picture",
        "file_name": "path of the picture within the split",
        "embedding": "vector of the picture at a layer of a network",
        "projection_x": "place of the picture on a map",
        "projection_y": "place of the picture on a map",
    }
    return own.get(name) or meaning_of(name)
