"""Pages without network or script, readable in light, dark and print; and the one that shows a whole study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from ccalign_jax.reporting.headline import headline
from ccalign_jax.reporting.plots import changes_plot, curves_plot, languages_plot, overfitting_plot, to_svg
from ccalign_jax.reporting.results import language_table, main_table, trials_table
from ccalign_jax.reporting.tables import Table, to_html
from ccalign_jax.reporting.wording import NOTHING

__all__ = ["data_table", "render_page", "render_report"]


def render_report(summary: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """The page as HTML; the same bytes for the same arguments.

    Args:
        summary: the content of `summary.json`.
        config: the content of `config.json`, or any nested mapping of choices.
    """
    return render_page(
        "report.html",
        data=summary["data"]["name"],
        headline=headline(summary),
        main=to_html(main_table(summary)),
        languages=to_html(language_table(summary)),
        trials=to_html(trials_table(summary)),
        plots=_plots(summary),
        languages_plot=to_svg(languages_plot(summary)),
        left_out=summary["notes"],
        data_table=data_table(summary["data"]),
        config_table=to_html(_pairs("Configuration", config)),
    )


def render_page(template: str, **parts: Any) -> str:
    """One of the templates beside this file, filled in; what is not marked safe there is escaped."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FunctionLoader(
            lambda name: resources.files("ccalign_jax.reporting").joinpath(name).read_text("utf-8")
        ),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(parts)


def data_table(data: Mapping[str, Any]) -> str:
    """What is known of the data, as HTML."""
    captions = [f"{language} {count}" for language, count in data.get("captions", {}).items()]
    return to_html(_pairs("Data", {**data, "captions": captions}))


def _plots(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """SVG and caption of each plot that stands beside the main table."""
    folds, seed = summary["folds"], summary["protocol"] == "seed"
    bars = (
        f"bars: standard deviation over {folds} folds, no confidence interval" if folds > 1 else "one fold, no spread"
    )
    pool = " (a larger pool, hence harder)" if seed else ""
    part = "the reported folds" if seed else "inner parts that are never reported"
    return [
        (
            to_svg(changes_plot(summary)),
            f"Right of the line, mapping beats leaving the embeddings alone ({bars}).",
        ),
        (
            to_svg(overfitting_plot(summary)),
            f"Filled: holdout; ring: training images{pool}; a long bar between them is overfitting.",
        ),
        (
            to_svg(curves_plot(summary)),
            f"The best trial of each family as it trains, scored on {part}, mean over folds; epoch 0 is the untrained "
            "start, a dot the epoch chosen (median over folds).",
        ),
    ]


def _pairs(title: str, tree: Mapping[str, Any]) -> Table:
    return Table(title, ("what", "value"), tuple(_flat(tree)), "ll")


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """`("config.folds", "5")` for every leaf of nested mappings."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{key}", ", ".join(map(str, value)) or NOTHING
        else:
            yield f"{prefix}{key}", NOTHING if value is None else str(value)
