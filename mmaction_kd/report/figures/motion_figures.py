"""The paper's Figures 1 and 2: how the class means lie, and how they go with the STDs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from mmaction_kd.report.figures.figure import new_figure
from mmaction_kd.report.figures.palette import ROLES

COLOURS = {subset: ROLES[subset] for subset in ('static', 'dynamic')}
SIZE = (7, 4.5)  # inches
MOST_NAMES = 12  # classes; of more the names would hide the points


def _by_subset(report: Mapping, key: str) -> dict[str, np.ndarray]:
    values = report['motion'][key]
    return {
        subset: np.array([values[name] for name in report['subsets'][subset]]) for subset in COLOURS
    }


def _bin_edges(means: np.ndarray, threshold: float) -> list[float]:
    """Equal bins with an edge at the threshold, so that no bar holds both subsets."""
    width = np.ptp(means) / max(10, round(2 * len(means) ** 0.5))
    edge = np.nextafter(threshold, np.inf)  # a class at the threshold is static, left of it
    first, last = np.floor((means.min() - edge) / width), np.ceil((means.max() - edge) / width)
    return (edge + width * np.arange(first, last + 1)).tolist()


def _name_points(axes: Axes, names: list[str], points: np.ndarray) -> None:
    """Write names beside points (K, 2), each on the side away from the nearest other point."""
    scaled = points / np.maximum(np.ptp(points, axis=0), np.finfo(float).tiny)
    distances = np.linalg.norm(scaled[:, None] - scaled, axis=2)  # (K, K)
    np.fill_diagonal(distances, np.inf)
    for name, point, nearest in zip(names, points, points[distances.argmin(1)], strict=True):
        left, below = point < nearest
        axes.annotate(
            name,
            point,
            (-5 if left else 5, -5 if below else 5),
            textcoords='offset points',
            ha='right' if left else 'left',
            va='top' if below else 'bottom',
            fontsize='small',
            path_effects=[withStroke(linewidth=3, foreground='white')],
        )


def histogram_figure(report: Mapping) -> Figure:
    """Figure 1: histogram of the class means, with Q1 and, if it is another, the threshold.

    Args:
        report: see :func:`~mmaction_kd.optical_flow.motion_report.motion_report`.

    Returns:
        The figure.
    """
    motion, means = report['motion'], _by_subset(report, 'class_means')
    figure, axes = new_figure(
        SIZE, f'class mean of flow magnitude [{motion["unit"]}]', 'number of classes'
    )
    rule, threshold = motion['threshold']['rule'], motion['threshold']['value']
    edges = _bin_edges(np.concatenate(list(means.values())), threshold)
    axes.hist(
        list(means.values()),
        edges,
        stacked=True,
        color=list(COLOURS.values()),
        label=[f'{subset} ({len(own)} classes)' for subset, own in means.items()],
        edgecolor='white',
    )
    q1 = motion['statistics']['overall']['q1']
    axes.axvline(q1, color='black', linestyle='--', label=f'Q1 = {q1:.3f}')
    if rule != 'q1':
        axes.axvline(
            threshold, color='black', linestyle=':', label=f'threshold ({rule}) = {threshold:.3f}'
        )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc='outside upper center', ncols=2, frameon=False)
    return figure


def mean_std_figure(report: Mapping) -> Figure:
    """Figure 2: STD over a class's videos against their mean, with the regression line.

    Args:
        report: see :func:`~mmaction_kd.optical_flow.motion_report.motion_report`.

    Returns:
        The figure.
    """
    unit = report['motion']['unit']
    means, stds = (_by_subset(report, key) for key in ('class_means', 'class_stds'))
    figure, axes = new_figure(
        SIZE,
        f'class mean of flow magnitude [{unit}]',
        f'STD over the videos of the class\n[{unit}]',
    )
    for subset, colour in COLOURS.items():
        label = f'{subset} ({len(means[subset])} classes)'
        axes.scatter(means[subset], stds[subset], color=colour, edgecolor='white', label=label)
    x, y = (np.concatenate(list(values.values())) for values in (means, stds))
    if len(x) <= MOST_NAMES:
        names = [name for subset in COLOURS for name in report['subsets'][subset]]
        _name_points(axes, names, np.stack([x, y], axis=1))
        axes.margins(0.1)  # room for the names
    slope, offset = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    label = f'STD = {slope:.2f} mean {"−" if offset < 0 else "+"} {abs(offset):.2f}'
    axes.plot(ends, slope * ends + offset, color='black', linestyle='--', label=label)
    figure.legend(loc='outside upper center', ncols=2, frameon=False)
    return figure
