"""Pooling of the rows of tokens, or of image patches, into one row."""

from __future__ import annotations

from typing import Any

from ccalign_jax.errors import InputError

__all__ = ["POOLINGS", "pool"]

POOLINGS = ("mean", "cls", "last", "max", "pooler")


def pool(torch: Any, output: Any, mask: Any, pooling: str) -> Any:
    """One row for each item, `[n, d]` or `[n, d, 1, 1]`.

    Args:
        torch: the module.
        output: of a model, or hidden states `[n, tokens, d]` or `[n, d, height, width]`.
        mask: `[n, tokens]`, 1 for what is no padding; None where nothing is.
        pooling: `mean` and `max` over the tokens, `cls` the first and `last` the last token that is no padding, or
            `pooler`: what the model itself makes of them.

    Raises:
        InputError: `pooler` of a model that has none.
    """
    if pooling == "pooler":
        found = getattr(output, "pooler_output", None)
        if found is None:
            raise InputError("the model has no pooler of its own; give --pooling=mean, or --image_pooling=mean or cls")
        return found
    states = output if torch.is_tensor(output) else output.last_hidden_state
    if states.ndim == 4:  # feature maps
        states = states.flatten(2).transpose(1, 2)
    if mask is None or mask.shape[1] != states.shape[1]:
        mask = torch.ones(states.shape[:2], device=states.device, dtype=torch.long)
    there = mask.unsqueeze(-1).to(states.dtype)
    if pooling == "mean":
        return (states * there).sum(1) / there.sum(1).clamp(min=1)
    if pooling == "max":
        return states.masked_fill(there == 0, torch.finfo(states.dtype).min).amax(1)
    places = torch.arange(states.shape[1], device=states.device)
    far = mask.bool()
    if pooling == "cls":
        place = torch.where(far, places, states.shape[1]).amin(1)
    else:
        place = torch.where(far, places, -1).amax(1)
    return states[torch.arange(len(states), device=states.device), place]
