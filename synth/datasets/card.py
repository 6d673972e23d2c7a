"""The data card of a data set, ``README.md`` (Gebru et al. 2018, "Datasheets for Datasets")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from synth.datasets.copies import MOST_BITS, MOST_LEVELS
from synth.datasets.layout import Layout, dtype_of, meaning_of
from synth.datasets.survey import RunSummary, Survey
from synth.record.card import code, head, size_category
from synth.record.result import Json

MOST_CLASSES, MOST_RUNS = 200, 100  # lines of a table
NO_LICENCE = "unknown"


def data_card(survey: Survey, layout: Layout, title: str, licence: str, version: str) -> str:
    """The card in Markdown.

    Args:
        survey: of the pictures, all of which have been written.
        layout: that they were written in.
        title: of the data set.
        licence: as Hugging Face names it, ``cc0-1.0``.
        version: of synth that writes the card.
    """
    return f"""{_head(survey, layout, title, licence)}
# {_heading(title)}

{len(survey):,} pictures of {_counted(len(survey.classes), "class", "classes")} that were made by \
searches through networks, not photographed or painted. The class of a picture is what the search \
was for; {code("predicted")} is what the network says of it.

```python
{layout.code}
```

| split | pictures |
|---|---|
{_lines(f"| {name} | {count:,} |" for name, count in survey.counts.items())}

A picture's split follows from its pixels alone, so that exact copies are never parted, and the \
same picture is in the same split of every export with the same shares.

## Runs

| run | recipe | network | pictures | success |
|---|---|---|---|---|
{_lines(map(_run_row, survey.runs[:MOST_RUNS]))}
{_more(len(survey.runs) - MOST_RUNS, "runs")}
{_criteria(survey)}Made by the commands

```
{_lines(dict.fromkeys(map(_command, survey.runs[:MOST_RUNS])))}
```

with these networks, whose weights have the SHA-256

{_lines(dict.fromkeys(map(_network, survey.runs)))}

and synth {code(", ".join(sorted({run.version or "?" for run in survey.runs})))}.
{_genomes(survey)}
## Copies

- exact copies, by size and RGB pixels: {survey.exact:,}{_dropped(survey, "exact")}
- near copies, by a difference hash that differs in at most {MOST_BITS} of 64 bits and a 4x4 \
thumbnail that differs by at most {MOST_LEVELS:g} of 255 levels: {survey.near:,}\
{_dropped(survey, "near")}; {survey.parted:,} of them are in another split than what they resemble

## Columns

| column | type | what it is |
|---|---|---|
{_lines(map(_column_row, _columns(survey, layout)))}

{_absent(layout)}

## Classes

| label | class | pictures |
|---|---|---|
{_lines(_class_rows(survey))}
{_more(len(survey.classes) - MOST_CLASSES, "classes")}
## Limits

- A label is a target, not the opinion of a person: many pictures look like nothing, or like \
something else. {code("success")} and {code("confidence")} are those of the network that was \
searched through, measured on the saved 8-bit picture.
- Pictures of this kind show what a network has learned, with the biases of its training pictures; \
pictures that start from a photograph keep its rights and its contents.
- {_licence_line(licence)}
- Left out, unfinished or not readable: \
{_counted(len(survey.skipped), "run or picture", "runs or pictures")}.
"""


def _head(survey: Survey, layout: Layout, title: str, licence: str) -> str:
    splits = [
        {"name": split, "num_bytes": layout.bytes[split], "num_examples": count}
        for split, count in survey.counts.items()
    ]
    info: dict[str, Json] = {"features": layout.features, "splits": splits}
    files = [{"split": split, "path": path} for split, path in layout.patterns.items()]
    return head(
        {
            "license": licence,
            "pretty_name": title,
            "task_categories": ["image-classification"],
            "size_categories": [size_category(len(survey))],
            "tags": ["synthetic", "image", "feature-visualization", "synth"],
            "configs": [{"config_name": "default", "data_files": files}],
            "dataset_info": {**info, "dataset_size": sum(layout.bytes.values())},
        }
    )


def _run_row(run: RunSummary) -> str:
    success = f"{run.successes:,} of {run.counted:,}" if run.counted else "-"
    network = code(run.network) or "-"
    return f"| {run.number} | {code(run.recipe)} | {network} | {run.pictures:,} | {success} |"


def _heading(title: str) -> str:
    return title if re.fullmatch(r"[\w ,.-]+", title) else code(title)


def _criteria(survey: Survey) -> str:
    criteria = {(run.recipe, run.criterion) for run in survey.runs if run.criterion}
    if not criteria:
        return ""
    lines = _lines(f"- {code(recipe)}: {code(text)}" for recipe, text in sorted(criteria))
    return f"Success is counted where it is known, by the criterion of the recipe:\n\n{lines}\n\n"


def _command(run: RunSummary) -> str:
    return f"synth recipe={run.recipe} {run.words}".strip().replace("`", "'")


def _network(run: RunSummary) -> str:
    return f"- {code(run.network) or 'no network'}: {code(run.sha256) or 'not recorded'}"


def _genomes(survey: Survey) -> str:
    runs = [run for run in survey.runs if run.genomes]
    if not runs:
        return ""
    painted = [run for run in runs if run.genomes and run.genomes.scalable]
    example = (
        f"""Those of CPPNs are painted at any size by

```
synth recipe=render run=FOLDER/genomes/{painted[0].number} size=1024{_contender(painted[0])}
```

"""
        if painted
        else ""
    )
    archives = [run for run in painted if run.search == "mapelites"]
    if archives:
        example += f"""An archive of elites goes on from where it ended by

```
{_command(archives[0])} search.archive=FOLDER/genomes/{archives[0].number}/genomes.safetensors
```

"""
    return f"""
## Genomes

Of {_counted(len(runs), "run", "runs")} the genomes (what the search moved, from which pictures \
are decoded) and lineages (birth records: item, child, parent, mate) are in {code("genomes/")}, as \
safetensors; the columns {code("genome_file")} and {code("genome_row")} name those of a picture. \
{example}"""


def _contender(run: RunSummary) -> str:
    name = run.genomes.scalable if run.genomes else ""
    contender = name.removeprefix("genomes").removesuffix(".safetensors")[1:]
    return f" contender={contender}" if contender else ""


def _dropped(survey: Survey, kind: str) -> str:
    dropped = survey.drop == "near" or survey.drop == kind
    return ", left out" if dropped else ", kept"


def _columns(survey: Survey, layout: Layout) -> Sequence[str]:
    return survey.dense if layout.loader == "imagefolder" else survey.columns


def _column_row(column: str) -> str:
    return f"| {code(column)} | {dtype_of(column)} | {meaning_of(column)} |"


def _absent(layout: Layout) -> str:
    if layout.loader == "imagefolder":
        return "What only some of the pictures have is in their `record` alone."
    return "A column is empty where a run has no such value."


def _class_rows(survey: Survey) -> list[str]:
    counts = zip(survey.classes, survey.label_counts, strict=True)
    rows = [f"| {i} | {code(name)} | {count:,} |" for i, (name, count) in enumerate(counts)]
    return rows[:MOST_CLASSES]


def _licence_line(licence: str) -> str:
    if licence == NO_LICENCE:
        return "Nobody has named a licence yet: whoever publishes the pictures has to."
    return f"Licence: {code(licence)}."


def _more(count: int, what: str) -> str:
    return f"\n... and {count:,} more {what}.\n" if count > 0 else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"
