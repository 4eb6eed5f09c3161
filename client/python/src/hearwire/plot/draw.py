"""A portrait of a sound as a figure of matplotlib's."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hearwire.plot.portrait import FLOOR_DB, Portrait

MOST_KILOHERTZ = 16.0  # What the networks hear.


def draw(portrait: Portrait, name: str) -> Figure:
    """Three pictures below one another with one axis of time. name: the figure's title."""
    # Not pyplot's, which would keep it, and may want a display.
    figure = Figure(figsize=(8, 8), dpi=90, layout="constrained")
    # A file's name may have dollars, which are formulas to matplotlib, and what cannot be printed.
    figure.suptitle("".join(sign if sign.isprintable() else "?" for sign in name), parse_math=False)
    above, middle, below = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 2, 3]})
    _draw_spectrogram(above, portrait)
    _draw_tags(middle, portrait)
    _draw_similarity(below, portrait)
    below.set_xlabel("time, s")
    below.set_xlim(0, portrait.seconds)
    return figure


def _image(axes: Axes, values: Any, extent: tuple[float, float, float, float], label: str, **more: Any) -> None:
    image = axes.imshow(values, aspect="auto", extent=extent, interpolation="nearest", **more)
    axes.figure.colorbar(image, ax=axes, label=label, pad=0.01)


def _draw_spectrogram(axes: Axes, portrait: Portrait) -> None:
    top = portrait.rate / 2000
    axes.set_title("Spectrogram")
    extent = (0.0, portrait.seconds, 0.0, top)
    _image(axes, portrait.spectrogram_db, extent, "dB", origin="lower", cmap="magma", vmin=FLOOR_DB, vmax=0)
    axes.set_ylim(0, min(top, MOST_KILOHERTZ))
    axes.set_ylabel("frequency, kHz")


def _draw_tags(axes: Axes, portrait: Portrait) -> None:
    count, windows = portrait.probabilities.shape
    of = f" of {portrait.network}" if portrait.network else ""
    axes.set_title(f"Tags{of} in {portrait.window_seconds:.2g} s around each time", parse_math=False)
    # A column reaches halfway to its neighbours.
    half = (portrait.centres[1] - portrait.centres[0]) / 2 if windows > 1 else portrait.seconds / 2
    extent = (float(portrait.centres[0] - half), float(portrait.centres[-1] + half), count - 0.5, -0.5)
    _image(axes, portrait.probabilities, extent, "probability", cmap="viridis", vmin=0)
    axes.set_yticks(range(count), portrait.tag_names, parse_math=False)


def _draw_similarity(axes: Axes, portrait: Portrait) -> None:
    axes.set_title(f"Self-similarity of the timestamps of {portrait.config}", parse_math=False)
    extent = (0.0, portrait.seconds, 0.0, portrait.seconds)
    _image(axes, portrait.similarity, extent, "cosine", origin="lower", cmap="viridis", vmax=1)
    axes.set_ylabel("time, s")
