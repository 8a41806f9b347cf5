"""Measurements of arms, per-image sums of their metrics, and estimates with intervals and p-values."""
