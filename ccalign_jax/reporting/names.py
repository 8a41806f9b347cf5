"""What aligners, pivots, losses, families, trials, directions and scorings are called wherever people read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ccalign_jax._names import CLOSED, MAX_FAMILIES
from ccalign_jax.reporting.format import Summary, chosen_words, count_words, find

Family = Mapping[str, Any]

ALIGNERS = {
    "identity": "identity",
    "shift": "shift x + b",
    "diagonal": "scale per feature",
    "linear": "linear W (unconstrained)",
    "residual": "residual W = I + ΔW",
    "low_rank": "low-rank W = I + UV'",
    "orthogonal": "orthogonal W",
    "mlp": "MLP",
    "residual_mlp": "residual MLP",
    "gated_mlp": "gated MLP",
    "fourier": "random Fourier features",
    "nystroem": "Nyström features",
    "conditional": "residual W, low rank per language",
    "film": "residual W, FiLM per language",
    "mixture": "mixture of residual maps",
    "centring": "centring",
    "ridge": "ridge regression",
    "pooled_ridge": "ridge, languages partly pooled",
    "procrustes": "Procrustes",
    "scaled_procrustes": "scaled Procrustes",
    "centred_ridge": "ridge, both sides centred",
    "multi_step": "multi-step orthogonal map",
    "cca": "CCA",
    "csa": "CSA",
    "gcca": "GCCA-MAXVAR",
    "generalised_procrustes": "generalised Procrustes",
}
PIVOTS = {
    "image": "image pivot",
    "text": "text pivot ({})",
    "centroid": "centroid pivot",
    "auxiliary": "text pivot ({}) with images",
    "symmetric": "symmetric",
    "consensus": "consensus pivot",
    "gcca": "GCCA pivot",
    "teacher": "teacher pivot ({})",
}
PIVOT_WORDS = {
    "image": "captions move towards their images",
    "text": "captions move towards their caption in that language",
    "centroid": "captions move towards the mean of the other languages",
    "auxiliary": "captions move towards that language and their images",
    "symmetric": "captions and images move towards each other",
    "consensus": "captions and images move towards their Procrustes consensus",
    "gcca": "captions and images move into their common GCCA space",
    "teacher": "captions move towards another encoder's captions",
}
LOSSES = {
    "infonce": "InfoNCE",
    "supcon_in": "SupCon (in)",
    "supcon_out": "SupCon (out)",
    "sigmoid": "sigmoid",
    "triplet": "triplet",
    "rcsls": "RCSLS",
    "alignment_uniformity": "alignment and uniformity",
    "structure": "structure",
    "mse": "MSE",
    "cosine": "cosine",
    "gram": "Gram matching",
    CLOSED: "closed form",
}
DIRECTION_WORDS = {"t2i": "text to image", "i2t": "image to text"}
TASK_WORDS = {**DIRECTION_WORDS, "t2t": "text to text"}
SCORINGS = {
    "cosine": "cosine",
    "centred_cosine": "centred cosine",
    "csls": "CSLS",
    "inverted_softmax": "inverted softmax",
    "nnn": "nearest-neighbour normalisation",
}


def scoring_name(summary: Summary, scoring: str) -> str:
    """The name of a scoring; one whose bank is the test set says so.

    Example:
        >>> scoring_name({"scores": {"bank": {"transductive": True}}}, "csls")
        'CSLS (transductive)'
    """
    transductive = scoring != "cosine" and find(summary, "scores", "bank", "transductive")
    return SCORINGS.get(scoring, scoring) + (" (transductive)" if transductive else "")


def aligner_name(aligner: str) -> str:
    """The name of an aligner or a combination; one that is not listed keeps its own.

    Example:
        >>> aligner_name("residual"), aligner_name("dual(per_language(linear),shift)")
        ('residual W = I + ΔW', 'linear W (unconstrained) per language, images: shift x + b')
    """
    outer, bracket, inside = aligner.removesuffix(")").partition("(")
    if bracket and outer == "per_language":
        return f"{aligner_name(inside)} per language"
    if bracket and outer == "dual":
        text, comma, image = inside.partition(",")
        return f"{aligner_name(text)}, images: {aligner_name(image)}" if comma else f"dual {aligner_name(text)}"
    return ALIGNERS.get(aligner, aligner)


def pivot_name(pivot: str) -> str:
    """The name of a pivot, such as `text pivot (en)`."""
    kind, _, language = pivot.partition(":")
    return PIVOTS[kind].format(language) if kind in PIVOTS else pivot


def pivot_words(pivot: str) -> str:
    """The name of a pivot and what it means, to begin a sentence with.

    Example:
        >>> pivot_words("image")
        'The image pivot (captions move towards their images)'
    """
    name, meaning = pivot_name(pivot), PIVOT_WORDS.get(pivot.partition(":")[0], "")
    noun = name if "pivot" in name else f"{name} pivot"
    return f"The {noun}" + (f" ({meaning})" if meaning else "")


def loss_name(loss: str) -> str:
    """The name of a loss."""
    return LOSSES.get(loss, loss)


def key_words(key: str) -> str:
    """The words for `PIVOT/ALIGNER/LOSS`, such as `linear W, image pivot, MSE`, or for `identity, SCORING`.

    Example:
        >>> key_words("image/shift/mse"), key_words("identity, csls")
        ('shift x + b, image pivot, MSE', 'identity, CSLS')
    """
    pivot, slash, rest = key.partition("/")
    aligner, _, loss = rest.rpartition("/")
    if slash:
        return f"{aligner_name(aligner)}, {pivot_name(pivot)}, {loss_name(loss)}"
    return ", ".join(SCORINGS.get(part, part) for part in key.split(", "))


def is_solved(family: Family) -> bool:
    """Whether a family or trial is a closed form."""
    return family["loss"] == CLOSED


def family_key(family: Family) -> str:
    """The key of a family in `scores` and `diagnostics`."""
    return f"{family['pivot']}/{family['aligner']}/{family['loss']}"


def setting_words(families: Sequence[Family]) -> str:
    """The pivot and the loss that all share, for a title: `, image pivot, loss MSE`; closed forms have no loss."""
    pivots, losses = {family["pivot"] for family in families}, _losses(families)
    pivot = f", {pivot_name(pivots.pop())}" if len(pivots) == 1 else ""
    return f"{pivot}, loss {loss_name(losses.pop())}" if len(losses) == 1 else pivot


def family_names(families: Sequence[Family]) -> list[str]:
    """The aligner of each family, and its loss where several were trained with.

    Example:
        >>> family_names([{"aligner": "residual", "loss": "mse"}, {"aligner": "residual", "loss": "cosine"}])
        ['residual W = I + ΔW, MSE', 'residual W = I + ΔW, cosine']
    """
    several = len(_losses(families)) > 1
    return [
        aligner_name(family["aligner"])
        + (f", {loss_name(family['loss'])}" if several and not is_solved(family) else "")
        for family in families
    ]


def by_pivot(families: Sequence[Family]) -> dict[str, list[tuple[str, Family]]]:
    """Name and family below the name of their pivot, which is empty where all share one."""
    several = len({family["pivot"] for family in families}) > 1
    groups: dict[str, list[tuple[str, Family]]] = {}
    for name, family in zip(family_names(families), families, strict=True):
        groups.setdefault(pivot_name(family["pivot"]) if several else "", []).append((name, family))
    return groups


def family_labels(families: Sequence[Family]) -> list[str]:
    """As `family_names`, after the pivot where there are several."""
    several = len({family["pivot"] for family in families}) > 1
    names = zip(families, family_names(families), strict=True)
    return [f"{pivot_name(family['pivot'])}: {name}" if several else name for family, name in names]


def trial_names(summary: Summary) -> dict[str, str]:
    """The words for each trial by its name: family, and the settings that tell its trials apart.

    Example:
        >>> trial = {"name": "image/shift/mse/l2=0.05", "pivot": "image", "aligner": "shift", "loss": "mse"}
        >>> trial_names({"trials": [trial]})
        {'image/shift/mse/l2=0.05': 'shift x + b, l2 .05'}
    """
    trials, found = summary["trials"], {}
    for trial, label in zip(trials, family_labels(trials), strict=True):
        settings = [part.partition("=") for part in settings_in(trial)]
        words = [f"{key.replace('_', ' ')} {value.removeprefix('0') or '0'}".strip() for key, _, value in settings]
        found[trial["name"]] = ", ".join([label, *words])
    return found


def choice_words(summary: Summary, per_fold: Sequence[str]) -> str:
    """Which trials were chosen in how many folds."""
    names = trial_names(summary)
    return chosen_words([names.get(name, name) for name in per_fold])


def settings_in(trial: Mapping[str, Any]) -> list[str]:
    """The settings in a trial's name, after its family."""
    return [part for part in trial["name"].removeprefix(family_key(trial)).strip("/").split(",") if part]


def best_by(families: Sequence[Family], *keys: str) -> list[Family]:
    """Of all families (or trials) that share the values of these keys, the first with the best mean selection score."""
    best: dict[tuple[str, ...], Family] = {}
    for family in families:
        place = tuple(family[key] for key in keys)
        if place not in best or family["selection"]["mean"] > best[place]["selection"]["mean"]:
            best[place] = family
    return list(best.values())


def shown_families(summary: Summary) -> list[Family]:
    """All families, or where there are more than `MAX_FAMILIES` the best of each pivot."""
    families = summary["families"]
    return list(families) if len(families) <= MAX_FAMILIES else best_by(families, "pivot")


def shown_groups(summary: Summary) -> Iterator[tuple[str, list[tuple[str, Family]]]]:
    """The shown families below the names of their pivots; where one of each is shown, in one block."""
    families = shown_families(summary)
    if len(summary["families"]) > MAX_FAMILIES:
        yield "", list(zip(family_labels(families), families, strict=True))
    else:
        yield from by_pivot(families).items()


def shown_note(summary: Summary) -> tuple[str, ...]:
    """That only the best of each pivot are shown, where there are more than `MAX_FAMILIES`."""
    if len(summary["families"]) <= MAX_FAMILIES:
        return ()
    pivots = count_words(len(best_by(summary["families"], "pivot")), "pivot")
    return (
        f"Of {len(summary['families'])} combinations of pivot, aligner and loss, the one with the best selection score "
        f"of each of {pivots}; all are in tables/pivots.",
    )


def state_name(summary: Summary, state: str) -> str:
    """The name of a key of `scores` or `diagnostics`: a family, a pivot's choice, or any other as it is."""
    families = summary.get("families", [])
    labels = dict(zip(map(family_key, families), family_labels(families), strict=True))
    return labels.get(state) or (pivot_name(state) if any(one["pivot"] == state for one in families) else state)


def _losses(families: Sequence[Family]) -> set[str]:
    """Those that anything was trained with."""
    return {family["loss"] for family in families if not is_solved(family)}
