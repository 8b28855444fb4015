"""Figures as SVG files that are the same each time they are drawn."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from streams.errors import UsageError


def save_svg(figure: Figure, out: Path) -> None:
    """Write a figure.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with mpl.rc_context({"svg.hashsalt": "headrace"}):
            FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None})
    except OSError as error:
        raise UsageError(f"--plot {out}: {error.strerror}") from error
