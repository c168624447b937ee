"""The figures of a study, in the forms that papers use: bars, curves, a surface, histograms."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mmaction_kd.report.figures.palette import KINDS


def bars(groups: Mapping[str, Mapping[str, Sequence[float]]], label: str, title: str) -> Figure:
    """Plot means as bars with their values, runs as dots, standard deviations as whiskers.

    Args:
        groups: of each group (a place on the axis), of each kind (a colour), the runs' values.
        label: of the value axis.
        title: above the figure.

    Returns:
        The figure.
    """
    kinds = list(dict.fromkeys(kind for values in groups.values() for kind in values))
    figure = _figure(max(8.0, 1.1 + 0.45 * len(groups) * (len(kinds) + 1)), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / len(kinds)
    everything = []
    for index, kind in enumerate(kinds):
        shown = False
        for place, values in enumerate(groups.values()):
            runs = np.asarray(values.get(kind, ()), dtype=float)
            if not len(runs):
                continue
            x = place + (index - (len(kinds) - 1) / 2) * width
            name = kind if not shown and len(kinds) > 1 else None
            shown = True
            axes.bar(x, runs.mean(), 0.9 * width, color=KINDS[index % 8], alpha=0.75, label=name)
            spread = runs.std(ddof=1) if len(runs) > 1 else 0
            if len(runs) > 1:
                axes.errorbar(x, runs.mean(), spread, color='0.2', capsize=3, lw=1.2)
            top = max(runs.max(), runs.mean() + spread)
            axes.annotate(
                f'{runs.mean():.1f}',
                (x, top),
                (0, 4),
                textcoords='offset points',
                ha='center',
                fontsize='x-small',
            )
            spots = x + np.linspace(-0.25, 0.25, len(runs)) * width
            axes.scatter(spots, runs, s=9, color='0.15', zorder=3, linewidths=0)
            everything.append(runs)
    _from_below_the_lowest(axes, np.concatenate(everything) if everything else np.zeros(1))
    axes.set_xticks(range(len(groups)), [textwrap.fill(name, 14) for name in groups])
    axes.set_ylabel(label)
    axes.set_title(title, loc='left')
    axes.set_title('dots: runs, whiskers: ± 1 standard deviation', loc='right', size='small')
    if len(kinds) > 1:
        axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    return figure


def curves(runs: Mapping[str, Sequence[pd.Series]], label: str, title: str) -> Figure:
    """Plot the mean over runs as a line, the standard deviation as a band.

    Args:
        runs: of each arm, of each of its runs, values by epoch.
        label: of the value axis.
        title: above the figure.

    Returns:
        The figure.
    """
    figure = _figure(7.0, 4.2)
    axes = figure.add_subplot()
    for index, (arm, series) in enumerate(runs.items()):
        if not series:
            continue
        table = pd.concat(series, axis=1)
        mean, std = table.mean(axis=1), table.std(axis=1)
        colour = KINDS[index % 8]
        axes.plot(mean.index, mean, color=colour, marker='o', ms=3, label=arm)
        if table.shape[1] > 1:
            axes.fill_between(mean.index, mean - std, mean + std, color=colour, alpha=0.15, lw=0)
    axes.set_xlabel('epoch')
    axes.set_ylabel(label)
    axes.set_title(title, loc='left')
    axes.set_title('band: ± 1 standard deviation over runs', loc='right', size='small')
    axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False)
    return figure


def scatter(
    points: Mapping[str, tuple[float, Sequence[float]]], x_label: str, label: str, title: str
) -> Figure:
    """Plot a metric against a number of each arm: means as dots, deviations as whiskers.

    Args:
        points: of each arm its number and the runs' values; an arm without values is left out.
        x_label: of the numbers.
        label: of the metric.
        title: above the figure.

    Returns:
        The figure.
    """
    figure = _figure(7.0, 4.2)
    axes = figure.add_subplot()
    for index, (arm, (x, values)) in enumerate(points.items()):
        runs = np.asarray(values, dtype=float)
        if not len(runs):
            continue
        colour = KINDS[index % 8]
        spread = runs.std(ddof=1) if len(runs) > 1 else None
        axes.errorbar(x, runs.mean(), spread, color=colour, marker='o', ms=7, capsize=3, label=arm)
    axes.set_xlabel(x_label)
    axes.set_ylabel(label)
    axes.set_title(title, loc='left')
    axes.set_title('whiskers: ± 1 standard deviation', loc='right', size='small')
    axes.legend(loc='upper left', bbox_to_anchor=(1, 1), frameon=False, handlelength=0.5)
    return figure


def surface(grid: pd.DataFrame, label: str, title: str) -> Figure:
    """Plot a metric over two settings, as a surface and as a map with its values.

    Args:
        grid: values; index and columns are the settings, named after them.
        label: of the value.
        title: above the figure.

    Returns:
        The figure.
    """
    figure = _figure(10.5, 4.4)
    x, y = np.meshgrid(range(grid.shape[1]), range(grid.shape[0]))
    axes = figure.add_subplot(1, 2, 1, projection='3d')
    axes.plot_surface(x, y, grid.to_numpy(), cmap='viridis', edgecolor='0.3', linewidth=0.4)
    flat = figure.add_subplot(1, 2, 2)
    image = flat.imshow(grid.to_numpy(), origin='lower', cmap='viridis', aspect='auto')
    low, high = image.get_clim()
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        if not np.isnan(value):
            dark = value < (low + high) / 2
            flat.text(column, row, f'{value:.1f}', ha='center', va='center', color='wk'[not dark])
    for plane in (axes, flat):
        plane.set_xticks(range(grid.shape[1]), [f'{value:g}' for value in grid.columns])
        plane.set_yticks(range(grid.shape[0]), [f'{value:g}' for value in grid.index])
        plane.set_xlabel(str(grid.columns.name))
        plane.set_ylabel(str(grid.index.name))
    figure.colorbar(image, ax=flat, label=label)
    figure.suptitle(title, x=0.01, ha='left')
    return figure


def histograms(
    panels: Mapping[str, Mapping[str, Sequence[float]]], label: str, title: str
) -> Figure:
    """Plot distributions over videos, a panel each, on one axis.

    Args:
        panels: of each panel, of each kind, a value of every video.
        label: of the value axis.
        title: above the figure.

    Returns:
        The figure.
    """
    figure = _figure(4.2 * len(panels) + 1.5, 3.6)
    every = [np.asarray(v, dtype=float) for kinds in panels.values() for v in kinds.values()]
    top = max((values.max() for values in every if len(values)), default=1.0)
    edges = np.linspace(0, top, 31).tolist()
    handles: dict[str, Patch] = {}
    for place, (name, kinds) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        for index, (kind, values) in enumerate(kinds.items()):
            colour = KINDS[index % 8]
            axes.hist(values, edges, alpha=0.6, color=colour)
            handles[kind] = Patch(color=colour, alpha=0.6)
            if len(values):
                axes.axvline(float(np.mean(values)), color=colour, ls='--', lw=1.5)
        axes.set_title(name, loc='left')
        axes.set_xlabel(label)
        if place == 1:
            axes.set_ylabel('videos')
    figure.legend(list(handles.values()), list(handles), loc='outside right upper', frameon=False)
    figure.suptitle(f'{title} (dashed: mean)', x=0.01, ha='left')
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=120, layout='constrained')


def _from_below_the_lowest(axes, values: np.ndarray) -> None:
    """Bars from 0, unless all are far from it and would be indistinguishable."""
    low, high = values.min(), values.max()
    if low > 0 and 0 < high - low < 0.25 * low:
        axes.set_ylim(low - (high - low), high + 0.3 * (high - low))
        axes.annotate('axis not from 0', (0.995, 0.01), xycoords='axes fraction', ha='right')
