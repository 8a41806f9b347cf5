"""The work that `cost_curves.py` measures, ours and that of other libraries: a call a case, ready to be timed.

Each function takes a size and gives `(call, what one call does)`; arrays are made, and programs compiled, before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

WIDTH, IMAGES, LANGUAGES, STEPS = 512, 2_000, 5, 20
BATCH = 32

Call = Callable[[], Any]


class Curve(NamedTuple):
    """One axis of growth.

    Attributes:
        axis: what grows.
        sizes: to measure at.
        methods: for each line of the plot the function that makes its call.
        about: what is done, for the title.
    """

    axis: str
    sizes: tuple[int, ...]
    methods: dict[str, Callable[[int], Call]]
    about: str


def unit(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """Random unit rows."""
    found = np.random.default_rng(seed).standard_normal((rows, width), np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def loss(batch: int, *, tile: int | None) -> Call:
    """InfoNCE of a batch and its gradient, ours."""
    import jax

    from ccalign_jax.losses import clip_loss

    both = jax.jit(jax.value_and_grad(partial(clip_loss, temperature=0.07, tile=tile), argnums=(0, 1)))
    rows = jax.device_put((unit(batch, WIDTH), unit(batch, WIDTH, 1)))
    return lambda: jax.block_until_ready(both(*rows))


def torch_loss(batch: int) -> Call:
    """open_clip's ClipLoss on one device: logits of both directions, two cross-entropies, and the gradient."""
    import torch
    import torch.nn.functional as F

    text, image = (torch.tensor(unit(batch, WIDTH, seed), requires_grad=True) for seed in (0, 1))
    labels = torch.arange(batch)

    def call() -> Any:
        text.grad = image.grad = None
        logits = image @ text.T / 0.07
        value = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        value.backward()
        return value.item()

    return call


def fits(*, images: int = IMAGES, width: int = WIDTH, languages: int = LANGUAGES, trials: int = 1) -> Call:
    """Fits of a residual map, twenty steps each, as a sweep compiles them."""
    import jax
    import jax.numpy as jnp

    from ccalign_jax.aligners import make_aligner
    from ccalign_jax.losses import LOSSES
    from ccalign_jax.pivots import make_pivot
    from ccalign_jax.training import Embeddings, Hyper, Recipe, fit

    names = tuple(map(str, range(languages)))
    aligner, pivot = make_aligner("residual", width, width, languages=languages), make_pivot("image", names)
    rows = np.arange(languages * images, dtype=np.int32).reshape(languages, images, 1)
    counts = np.ones((languages, images), np.int32)
    text, image = unit(languages * images, width), unit(images, width, 1)
    data = jax.device_put(Embeddings(text, image, rows, counts, np.arange(images)))
    recipe = Recipe(epochs=1, steps_per_epoch=STEPS, batch_images=BATCH, terms=frozenset({"l2", "clip"}))

    @jax.jit
    def program(data: Embeddings, rates: Any, keys: Any) -> Any:
        def one(given: Any) -> Any:
            hyper = Hyper(learning_rate=given[0])
            return fit(
                aligner, pivot, LOSSES["infonce"], hyper, given[1], data, jnp.arange(images), images, recipe=recipe
            )

        return jax.lax.map(one, (rates, keys))

    given = jnp.geomspace(1e-4, 1e-3, trials), jax.random.split(jax.random.key(0), trials)
    return lambda: jax.block_until_ready(program(data, *given))


def torch_fits(*, images: int = IMAGES, width: int = WIDTH, languages: int = LANGUAGES, trials: int = 1) -> Call:
    """The same as a plain torch loop: image rows repeated for each language, Adam, clipped gradients."""
    import torch
    import torch.nn.functional as F

    text = torch.tensor(unit(languages * images, width)).reshape(languages, images, width)
    image = torch.tensor(unit(images, width, 1))
    labels = torch.arange(BATCH * languages)

    def one(rate: float) -> Any:
        delta = torch.zeros(width, width, requires_grad=True)
        optimizer = torch.optim.Adam([delta], lr=rate, weight_decay=5e-4)
        for _ in range(STEPS):
            chosen = torch.randint(images, (BATCH,))
            rows = text[:, chosen].reshape(-1, width)
            mapped = F.normalize(rows + rows @ delta, dim=1)
            logits = mapped @ image[chosen].repeat(languages, 1).T / 0.07
            value = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_([delta], 1.0)
            optimizer.step()
        return delta

    return lambda: [one(rate) for rate in np.geomspace(1e-4, 1e-3, trials)]


def closed_form(name: str, images: int, width: int = WIDTH) -> Call:
    """A closed form from the captions of one language on; of ridge, its whole path with leave-one-out errors."""
    from ccalign_jax.solvers.closed_forms import CLOSED_FORMS
    from ccalign_jax.solvers.paths import Pairs

    text, image = unit(images, width), unit(images, width, 1)
    owners, weights, masks = (np.arange(images),), (np.ones(images),), np.ones((2, images), bool)
    pairs = Pairs((text,), owners, (image,), weights, (text, image), masks)
    return lambda: CLOSED_FORMS[name].path(pairs, penalty=1.0)


def sklearn_ridge(images: int, width: int = WIDTH) -> Call:
    """scikit-learn's Ridge at one penalty."""
    from sklearn.linear_model import Ridge

    text, image = unit(images, width), unit(images, width, 1)
    return lambda: Ridge(alpha=1.0, fit_intercept=False).fit(text, image - text)


def sklearn_cca(images: int, width: int) -> Call:
    """scikit-learn's CCA, all components."""
    from sklearn.cross_decomposition import CCA

    text, image = unit(images, width), unit(images, width, 1)
    return lambda: CCA(n_components=width, max_iter=500).fit(text, image)


def ranks(gallery: int) -> Call:
    """Exact ranks of two thousand queries, both directions."""
    from ccalign_jax.metrics import stream_ranks

    queries, items = unit(IMAGES, WIDTH), unit(gallery, WIDTH, 1)
    gold = (np.arange(IMAGES) % gallery)[:, None]
    return lambda: stream_ranks(queries, items, gold)


def faiss_search(gallery: int) -> Call:
    """faiss, exact: the ten nearest of two thousand queries, one direction."""
    import faiss

    queries, index = unit(IMAGES, WIDTH), faiss.IndexFlatIP(WIDTH)
    index.add(unit(gallery, WIDTH, 1))
    return lambda: index.search(queries, 10)


def torch_search(gallery: int) -> Call:
    """torch: all scores, and the ten highest."""
    import torch

    queries, items = torch.tensor(unit(IMAGES, WIDTH)), torch.tensor(unit(gallery, WIDTH, 1))
    return lambda: torch.topk(queries @ items.T, 10)


def fits_by(axis: str) -> dict[str, Callable[[int], Call]]:
    """Fits, ours and torch's, that grow along one axis."""
    return {"ccalign_jax": lambda size: fits(**{axis: size}), "torch": lambda size: torch_fits(**{axis: size})}


CURVES = {
    "loss": Curve(
        "batch",
        (1024, 2048, 4096, 8192),
        {
            "ccalign_jax, tiles": partial(loss, tile=1024),
            "ccalign_jax, whole": partial(loss, tile=None),
            "torch (open_clip)": torch_loss,
        },
        "InfoNCE and its gradient, 512 wide",
    ),
    "images": Curve(
        "images",
        (1000, 4000, 16_000),
        fits_by("images"),
        "twenty steps of a residual map, 5 languages, 512 wide",
    ),
    "width": Curve(
        "d",
        (128, 256, 512, 1024),
        fits_by("width"),
        "twenty steps of a residual map, 5 languages",
    ),
    "languages": Curve(
        "languages",
        (1, 3, 9, 27),
        fits_by("languages"),
        "twenty steps of a residual map, 512 wide",
    ),
    "trials": Curve(
        "trials",
        (1, 4, 16),
        fits_by("trials"),
        "twenty steps of a residual map each, 5 languages, 512 wide",
    ),
    "ridge": Curve(
        "images",
        (1000, 4000, 16_000, 64_000),
        {
            "ccalign_jax, the path": partial(closed_form, "ridge"),
            "scikit-learn, one penalty": sklearn_ridge,
        },
        "ridge to identity, 512 wide",
    ),
    "cca": Curve(
        "d",
        (16, 32, 64),
        {
            "ccalign_jax": lambda size: closed_form("cca", IMAGES, size),
            "scikit-learn": lambda size: sklearn_cca(IMAGES, size),
        },
        "CCA, all components, 2,000 pairs",
    ),
    "gallery": Curve(
        "gallery",
        (4000, 16_000, 64_000, 256_000),
        {
            "ccalign_jax, exact ranks, both directions": ranks,
            "faiss IndexFlatIP, k = 10, one direction": faiss_search,
            "torch, k = 10, one direction": torch_search,
        },
        "2,000 queries, 512 wide",
    ),
}
