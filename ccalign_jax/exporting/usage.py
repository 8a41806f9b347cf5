"""How an exported map is used: a few lines of Python for each format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ccalign_jax.exporting.job import Job

__all__ = ["usage"]

OURS = (
    "import ccalign_jax as cc",
    "",
    'learned = cc.load_aligner("RUN/best")  # the map that these files were written from',
    "mapped = learned(rows{asked})  # embeddings [m, d]",
)
LINES = {
    "onnx": (
        "import onnxruntime",
        "",
        'session = onnxruntime.InferenceSession("{part}.onnx")',
        'mapped = session.run(["target_embedding"], {{"source_embedding": rows}})[0]  # embeddings [m, d] float32',
    ),
    "torch": (
        "from use_map import map_rows  # the script in this folder",
        "",
        'mapped = map_rows(rows, "{part}")  # a tensor of embeddings [m, d]',
    ),
    "faiss": (
        "import faiss",
        "",
        'index = faiss.read_index("{part}.faiss")',
        "index.index.add(images)  # unit rows, as they are",
        "scores, found = index.search(rows, 10)  # embeddings [m, d] float32, which the map goes before",
    ),
    "llama-index": (
        "from llama_index.embeddings.adapter import LinearAdapterEmbeddingModel",
        "",
        'embeddings = LinearAdapterEmbeddingModel(base_model, "path/to/this/folder")  # maps queries alone',
    ),
}


def usage(job: Job, folder: Path) -> Iterator[str]:
    """Lines of Python that map captions with what was exported.

    Args:
        job: what was exported.
        folder: of the files.
    """
    part = job.parts[0].name
    if job.to == "sentence-transformers":
        yield from _sentence_transformers(job, folder)
    elif job.to in ("numpy", "safetensors") and job.parts[0].layers is not None:
        yield from _arrays(job)
    elif job.to in LINES:
        yield from (line.format(part=part) for line in LINES[job.to])
    else:
        language = job.parts[0].language
        asked = f', language="{language}"' if language else ""
        yield from (line.format(asked=asked) for line in OURS)


def _arrays(job: Job) -> Iterator[str]:
    part = job.parts[0]
    prefix = "" if part.name == "captions" else f"{part.name}."
    yield "import numpy as np"
    if len(part.layers or ()) > 1:
        yield "from scipy.special import erf"
    if job.to == "safetensors":
        yield from ("from safetensors.numpy import load_file", "", 'arrays = load_file("model.safetensors")')
    else:
        yield from ("", 'arrays = np.load("model.npz")')
    yield "rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)  # embeddings [m, d]"
    if len(part.layers or ()) > 1:
        yield f'hidden = rows @ arrays["{prefix}W1"] + arrays["{prefix}offset1"]'
        yield "hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2"
        yield f'mapped = hidden @ arrays["{prefix}W2"] + arrays["{prefix}offset2"]'
    else:
        yield f'mapped = rows @ arrays["{prefix}W"] + arrays["{prefix}offset"]'
    yield "mapped = mapped / np.linalg.norm(mapped, axis=1, keepdims=True)"


def _sentence_transformers(job: Job, folder: Path) -> Iterator[str]:
    routed = (folder / "0_Router").is_dir()
    languages = [part.language for part in job.parts if part.name != "images"]
    own = [language for language in languages if language is not None] if len(languages) > 1 else []
    asked = f', task="{own[0]}"' if own else ""
    yield "from sentence_transformers import SentenceTransformer"
    if routed:
        yield "from PIL import Image"
    yield ""
    yield 'model = SentenceTransformer("path/to/this/folder")'
    yield f'captions = model.encode(["…"]{asked})' + (f"  # task: {', '.join(own)}" if own else "")
    if not routed:
        moved = job.learned.aligner.trains_image
        yield "# images: " + ("mapped, too; export them with --to=onnx" if moved else "unit rows of the image encoder")
    else:
        yield 'images = model.encode([Image.open("dog.jpg")])'
        yield "scores = model.similarity(captions, images)"
