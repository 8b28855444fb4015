"""Figures as SVG files that are the same each time they are drawn."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from headrace.files.atomic import output_file


def save_svg(figure: Figure, out: Path) -> None:
    """Write a figure.

    Raises:
        UsageError: the file cannot be written.
    """
    with output_file(out) as file, mpl.rc_context({"svg.hashsalt": "headrace"}):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})
