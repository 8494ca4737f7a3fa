"""The papers' figures for any generator: one file a figure."""

from limner.api.figures.runner import FigureSet, draw_figures, names

__all__ = ["FigureSet", "draw_figures", "names"]
