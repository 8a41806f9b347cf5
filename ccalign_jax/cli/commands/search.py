"""Type a caption in any language: the nearest images and captions before and after alignment.

ccalign search --checkpoint=runs/mine/best "ein roter Kreis"
ccalign search --checkpoint=runs/mine/best                           # reads queries, one a line
ccalign search --checkpoint=runs/mine/best --serve                   # a local page
ccalign search --checkpoint=runs/mine/best --data=embeddings.npz --query_key=dog --language=de
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from absl import flags

from ccalign_jax.cli.runner import start_jax

if TYPE_CHECKING:
    from ccalign_jax.search import Found, Searcher

FLAGS = flags.FLAGS


def define_flags() -> None:
    """Define the flags that `main` reads."""
    flags.DEFINE_string(
        "checkpoint",
        None,
        "a map: RUN/best, the seed study's .pt, or an export to safetensors, numpy or sentence-transformers",
        required=True,
    )
    flags.DEFINE_string("data", None, "what is searched, in any form of docs/data.md [the data of RUN]")
    flags.DEFINE_string("language", None, "language of the queries [guessed from the captions of the data]")
    flags.DEFINE_list("languages", None, "use these languages of the data only")
    flags.DEFINE_integer("top", 10, "images and captions to show", lower_bound=1, upper_bound=100)
    flags.DEFINE_string("query_key", None, "in place of a text: the caption of this image of the data")
    flags.DEFINE_string(
        "text_encoder", None, "encoder of the queries, as extract.py takes it, or none [that of the data]"
    )
    flags.DEFINE_string("captions", None, "a table of the data's captions, as extract.py takes it, to show their texts")
    flags.DEFINE_string("images", None, "the folder of the data's images, to show them")
    flags.DEFINE_string("calibrate_on", None, "embeddings that the map was not trained on, to calibrate scores on")
    flags.DEFINE_bool("faiss", None, "hold the rows in faiss [where it is installed, from 200,000 rows on]")
    flags.DEFINE_bool("json", False, "print each result as a line of JSON")
    flags.DEFINE_bool("serve", False, "serve a local page, for this machine alone")
    flags.DEFINE_integer("port", 0, "port of the page [any that is free]", lower_bound=0, upper_bound=65535)


def main(query: str | None = None) -> None:
    """Check, index, calibrate; then answer one query, those of the terminal, or those of the page."""
    from ccalign_jax.errors import InputError

    given = [name for name in ("query_key", "serve") if FLAGS[name].value]
    if query is not None:
        given.append("the query")
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)}: give one of them")
    start_jax()
    searcher = _open(needs_encoder=FLAGS.query_key is None)
    for note in searcher.notes:
        print(f"note: {note}", file=sys.stderr if FLAGS.json else sys.stdout)
    if FLAGS.serve:
        from ccalign_jax.search.server import serve

        serve(searcher, port=FLAGS.port, language=FLAGS.language, top=FLAGS.top)
    elif FLAGS.query_key is not None:
        _print(searcher.search_key(FLAGS.query_key, language=FLAGS.language, k=FLAGS.top))
    elif query is not None:
        _print(searcher.search(query, language=FLAGS.language, k=FLAGS.top))
    else:
        _read_queries(searcher)


def _open(*, needs_encoder: bool) -> Searcher:
    import dataclasses

    from ccalign_jax.errors import InputError
    from ccalign_jax.reporting import progress_bar
    from ccalign_jax.runs.load import data_of_run
    from ccalign_jax.search import open_searcher, read_any_map
    from ccalign_jax.search.originals import find_record, with_originals
    from ccalign_jax.search.queries import load_text_encoder
    from ccalign_jax.study import read_data

    learned = read_any_map(FLAGS.checkpoint)
    place = FLAGS.data or data_of_run(FLAGS.checkpoint)
    data = with_originals(read_data(place, languages=FLAGS.languages), captions=FLAGS.captions, images=FLAGS.images)
    record, encoder, notes = find_record(place), None, list(data.notes)
    spec = FLAGS.text_encoder or (record or {}).get("config", {}).get("text_encoder")
    if needs_encoder and spec not in (None, "none"):
        try:
            encoder, more = load_text_encoder(spec, record)
            notes += more
        except InputError as error:
            if FLAGS.text_encoder is not None:
                raise
            notes.append(f"queries must be captions or keys of the data: {error.in_flags}")
    elif needs_encoder:
        notes.append("queries must be captions or keys of the data: no encoder is known; --text_encoder=NAME gives it")
    other = None if FLAGS.calibrate_on is None else read_data(FLAGS.calibrate_on)
    with progress_bar("steps") as progress:
        searcher = open_searcher(
            learned,
            data,
            encoder=encoder,
            checkpoint=FLAGS.checkpoint,
            calibrate_on=other,
            faiss=FLAGS.faiss,
            progress=progress,
        )
    return dataclasses.replace(searcher, notes=(*notes, *searcher.notes))


def _print(found: Found) -> None:
    from ccalign_jax.search.terminal import as_json, print_found

    if FLAGS.json:
        print(json.dumps(as_json(found), ensure_ascii=False), flush=True)
    else:
        print_found(found)


def _read_queries(searcher: Searcher) -> None:
    """Answer each line of the terminal, or of a pipe, until its end; a bad one is one line on stderr."""
    from ccalign_jax.errors import InputError

    typed, lines, failed = sys.stdin.isatty(), 0, 0
    while True:
        if typed:
            print("caption (Ctrl-D ends): ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            break
        if not line.strip():
            continue
        lines += 1
        try:
            _print(searcher.search(line, language=FLAGS.language, k=FLAGS.top))
        except InputError as error:
            failed += 1
            print(f"error: {error.in_flags}", file=sys.stderr)
    if typed:
        print()
    elif failed:
        raise InputError(f"{failed} of {lines} queries were not answered")
