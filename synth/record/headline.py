"""The headline of a run: in one line, what it was run for and what came of it.

``fooled 0.78 of 100 held-out pictures, random signs 0.28``; ``giant panda 99 % -> gibbon 67 %``. It
is made from findings and items alone, so that every recipe has one: the first of `_LINES` that has
something to say.
"""

from __future__ import annotations

from statistics import fmean, median

from synth.record.result import Json, Result

# what findings say, in order: a line is used where all the findings in it are there
_FINDINGS = (
    "fooled {fooling_rate_heldout} of {pictures_heldout} held-out pictures, random signs "
    "{random_signs}",
    "fooled {fooling_rate_train} of the {pictures_train} pictures it was made from, random signs "
    "{random_signs}",
    "memorised {random_labels_memorised} of the random labels or more; critical samples near "
    "{critical_sample_ratio_random_labels} of the pictures, with true labels near "
    "{critical_sample_ratio_true_labels}",
    "memorised {random_labels_memorised} of the random labels or more",
    "critical samples near {critical_sample_ratio} of the pictures, within {radius}",
    "features of {found_again_features} of the pictures found again, by chance "
    "{found_again_chance}; feature error {feature_error}",
    "feature error {feature_error}, {feature_error_start} at the start",
    "style error {style_error}, {style_error_start} at the start",
    "top-1 accuracy {top1}, top-5 {top5} on held-out pictures",
    "best string {best_string} after {generations} generations",
    "{labels_on_a_plane} labels on a plane within {radius} of 255 levels, mean of {pictures} "
    "pictures",
    "{layers} layers, {parameters} parameters, {classes} classes",
    "{units} units of {layers} layers over {pictures} pictures",
    "{k} directions explain {explained_share} of {layer}",
    "neighbours of the same class: {neighbour_share_features} in {layer}, "
    "{neighbour_share_pixels} in pixels",
    "the class falls by {mean_largest_drop} where covering it lowers it most, mean of {pictures} "
    "pictures",
    "intersection over union {iou}, of a centred box {iou_box}",
    "the class is still predicted for {cut_out_predicted} of {pictures} cut-outs",
    "most saliency outside: {most_outside}, {most_outside_share} of it; {outside} over all classes",
    "{unit}: highest activation {highest_activation}, active at {share_active} of all places",
    "film of {frames} frames",
    "{copied} of the pixels copied beside their neighbour, mean distance {mean_distance}",
    "pictures in the style of {style}: {pictures}",
    "loss {validation_loss} on held-out pictures",
    "pictures: {pictures}",
)


def headline(result: Result) -> str:
    """The line; empty for a run that was interrupted, and where there is nothing to say."""
    if result.status != "done":
        return ""
    return next((line for line in (make(result) for make in _LINES) if line), "")


def _comparison(result: Result) -> str:
    rows = dict(result.contenders or {})
    counts = [
        f"{name} {row['success']} of {row['items']}"
        for name, row in rows.items()
        if isinstance(row, dict) and row.get("success") is not None
    ]
    return f"reached their target: {', '.join(counts)}" if counts else ""


def _duel(result: Result) -> str:
    """Successes at the largest budget, on the first network; never added up."""
    rows, budgets = result.findings.get("duel"), result.findings.get("budgets")
    if not isinstance(rows, list) or not isinstance(budgets, list) or not rows:
        return ""
    counts = [
        f"{row['contender']} {rate['success']} of {rate['counted']}"
        for row in rows
        if row["network"] == rows[0]["network"]
        and isinstance(rate := row.get(f"success_at_{budgets[-1]}"), dict)
    ]
    return f"{rows[0]['network']}, {budgets[-1]:,} passes: {', '.join(counts)}" if counts else ""


def _measured(result: Result) -> str:
    findings = {name: _plain(value) for name, value in result.findings.items()}
    numbers = {name: value for name, value in findings.items() if value}
    for line in _FINDINGS:
        try:
            return line.format(**numbers)
        except KeyError:
            continue
    return ""


def _attack(result: Result) -> str:
    """Clean images whose prediction was to change."""
    items = [item for item in result.items if item.original_predicted is not None]
    counted = [item for item in items if item.success is not None]
    if not counted:
        already = sum(bool(item.already) for item in items)
        return f"{already} already there before the search" if already else ""
    if len(items) == 1:
        before = _share(items[0].original_predicted, items[0].original_confidence)
        return f"{before} -> {_share(items[0].predicted, items[0].predicted_confidence)}"
    hits = [item for item in counted if item.success]
    line = f"{len(hits)} of {len(counted)} reached their target"
    lengths = [item.l2 for item in hits if item.l2 is not None]
    largest = [item.linf for item in hits if item.linf is not None]
    if lengths and largest:
        line += f", median L2 {median(lengths):.3g}, L-infinity {median(largest):.3g}"
    return line


def _classes(result: Result) -> str:
    """Images of a class, from nothing."""
    items = [item for item in result.items if item.success is not None]
    if len(items) == 1 and items[0].target is not None:
        item = items[0]
        line = f"{item.target} {_percent(item.confidence)}".strip()
        if item.predicted != item.target and item.predicted is not None:
            return f"{line}, predicted {item.predicted}"
        return line if item.success else f"{line}, which is short of its goal"
    hits = sum(bool(item.success) for item in items)
    values = [item.confidence for item in items if item.confidence is not None]
    mean = f", mean confidence {_percent(fmean(values))}" if values else ""
    return f"{hits} of {len(items)} reached their target{mean}" if items else ""


def _scores(result: Result) -> str:
    """Images without a class: units, layers."""
    items = [item for item in result.items if item.score is not None]
    listed = [f"{item.target} {item.score:.4g}" for item in items[:4] if item.target]
    if not items or len(listed) < min(len(items), 4):
        return ""
    return f"score: {', '.join(listed)}{', ...' if len(items) > 4 else ''}"


def _others(result: Result) -> str:
    numbers = [
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in result.findings.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return ", ".join(numbers[:3])


_LINES = (_comparison, _duel, _attack, _measured, _classes, _scores, _others)


def _plain(value: Json) -> str:
    """A finding as text; empty for what is no number or name."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else value if isinstance(value, str) else ""


def _share(name: str | None, probability: float | None) -> str:
    return f"{name or 'no class'} {_percent(probability)}".strip()


def _percent(probability: float | None) -> str:
    return "" if probability is None else f"{100 * probability:.3g} %"
