"""Figures of a run: each a matplotlib Figure that needs no display and leaves no state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from mmaction_kd.report.figures.figure import new_figure
from mmaction_kd.report.figures.palette import GAIN, LOSS, OTHERS, ROLES

DIVERGING = LinearSegmentedColormap.from_list(
    'pathways', [ROLES['global'], '#f7f7f7', ROLES['local']]
)
NO_DATA = '#cccccc'
MOST_POINTS = 200  # of a curve: more are averaged, for the eye as for the size
MOST_ROWS = 24  # bars with a name each
WIDTH = 4.6  # inches: readable on a telephone

Series = Mapping[str, tuple[np.ndarray, np.ndarray]]


def _axes(height: float, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure, axes = new_figure((WIDTH, height), xlabel, ylabel)
    axes.tick_params(labelsize='small')
    return figure, axes


def _colours(names: Iterable[str]) -> dict[str, str]:
    """A pathway or a teacher has its own colour, also where its label holds more than its name."""
    names = list(names)
    owners = {name: name.split()[0].rstrip(',') for name in names}
    taken = {ROLES.get(owner) for owner in owners.values()}
    others = (c for c in OTHERS * (1 + len(names)) if c not in taken)
    return {n: ROLES[owner] if owner in ROLES else next(others) for n, owner in owners.items()}


def thinned(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Average neighbours where there are more points than a figure can show.

    Args:
        x: times, (P,).
        y: values, (P,).
        most: how many points may be left.

    Returns:
        Both, (at most ``most``,).
    """
    if len(x) <= most:
        return x, y
    groups = np.array_split(np.arange(len(x)), most)
    return np.array([x[g].mean() for g in groups]), np.array([y[g].mean() for g in groups])


def curves_figure(
    series: Series,
    xlabel: str,
    ylabel: str,
    ratio: bool = False,
    from_zero: bool = True,
    log: bool = False,
) -> Figure:
    """Plot values over time, a line each.

    Args:
        series: by name (time, value).
        xlabel: unit of time.
        ylabel: what the values are, with unit.
        ratio: values are ratios in [0, 1], shown in per cent.
        from_zero: the axis begins at 0, and ends at 1 if values are ratios; else at the values.
        log: a logarithmic axis, for what is to be compared by factors.

    Returns:
        The figure.
    """
    figure, axes = _axes(2.9, xlabel, ylabel)
    for (name, (x, y)), colour in zip(series.items(), _colours(series).values(), strict=True):
        x, y = thinned(x, y)
        marker = 'o' if len(x) <= 30 else ''
        axes.plot(
            x, y, color=colour, linewidth=1.3, marker=marker, markersize=3, label=_plain(name)
        )
    if ratio:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    if log:
        axes.set_yscale('log')
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    elif from_zero and ratio:
        axes.set_ylim(-0.02, 1.02)
    elif from_zero:
        low = min((np.nanmin(y) for _, y in series.values() if np.isfinite(y).any()), default=0.0)
        axes.set_ylim(bottom=min(0.0, low))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(axis='y', color='#e5e5e5', linewidth=0.6)
    _legend(figure, series)
    return figure


def class_map_figure(
    times: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    xlabel: str,
    label: str,
    colours: str | Colormap = 'viridis',
    limits: tuple[float, float] = (0, 1),
) -> Figure:
    """Plot a value of every class over time, a row for each class, sorted by the last column.

    Args:
        times: (E,).
        values: (E, K), ratios; NaN, where a class has no samples, is grey.
        names: of the classes, (K,).
        xlabel: unit of time.
        label: what the colours mean.
        colours: a colour map.
        limits: the values at its ends.

    Returns:
        The figure.
    """
    order = np.argsort(-values[-1], kind='stable')  # NaN comes last
    few = len(names) <= MOST_ROWS
    height = 1.3 + (0.2 * len(names) if few else 3.2)
    ylabel = '' if few else f'{len(names)} classes, sorted by the last column'
    figure, axes = _axes(height, xlabel, ylabel)
    cmap = (colormaps[colours] if isinstance(colours, str) else colours).with_extremes(bad=NO_DATA)
    step = (times[-1] - times[0]) / max(1, len(times) - 1) or 1
    image = axes.imshow(
        values[:, order].T,
        cmap=cmap,
        vmin=limits[0],
        vmax=limits[1],
        aspect='auto',
        interpolation='nearest',
        extent=(times[0] - step / 2, times[-1] + step / 2, len(names) - 0.5, -0.5),
    )
    if few:
        axes.set_yticks(range(len(names)), [_shortened(names[i]) for i in order], parse_math=False)
    else:
        axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    percent = PercentFormatter(1, decimals=0)
    bar = figure.colorbar(image, ax=axes, location='top', aspect=40, format=percent)
    bar.ax.xaxis.set_major_locator(MaxNLocator(nbins=5))
    bar.set_label(label, fontsize='small')
    bar.ax.tick_params(labelsize='small')
    return figure


def class_bars_figure(
    values: np.ndarray,
    names: Sequence[str],
    xlabel: str,
    start: float = 0.0,
    limits: tuple[float, float] | None = None,
    colours: tuple[str, str] = (LOSS, GAIN),
    percent: bool = True,
) -> Figure:
    """Plot a value of every class as sorted bars; of many classes the highest and lowest.

    Args:
        values: (K,), ratios; NaN is left out.
        names: of the classes, (K,).
        xlabel: what the values are.
        start: where the bars begin.
        limits: ends of the axis; None leaves them to the values.
        colours: of bars below and above the start.
        percent: as per cent, else as points (differences of per cents).

    Returns:
        The figure.
    """
    order = [i for i in np.argsort(-values, kind='stable') if np.isfinite(values[i])]
    cut = len(order) > MOST_ROWS
    if cut:
        order = order[: MOST_ROWS // 2] + order[-MOST_ROWS // 2 :]
    shown = values[order]
    figure, axes = _axes(0.9 + 0.2 * max(1, len(order)), xlabel, '')
    rows = np.arange(len(order)) + (np.arange(len(order)) >= MOST_ROWS // 2) * cut
    side = [colours[int(value >= start)] for value in shown]
    axes.barh(rows, shown - start, left=start, color=side, height=0.7)
    axes.set_yticks(rows, [_shortened(names[i]) for i in order], parse_math=False)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.axvline(start, color='black', linewidth=0.8)
    if limits is not None:
        axes.set_xlim(limits)
    if cut:
        between = f'… {int(np.isfinite(values).sum()) - len(order)} classes between …'
        axes.text(
            0.5, MOST_ROWS // 2, between, ha='center', va='center', fontsize='small',
            color='#666666', transform=axes.get_yaxis_transform(),
        )  # fmt: skip
    symbol = '%' if percent else ''
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=symbol))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.grid(axis='x', color='#e5e5e5', linewidth=0.6)
    axes.set_axisbelow(True)
    return figure


def weight_histogram_figure(bins: Sequence[int], mean: float, xlabel: str) -> Figure:
    """Plot the distribution of a weight in [0, 1] over the videos.

    Args:
        bins: numbers of videos in equal bins of [0, 1].
        mean: of the weight, marked.
        xlabel: whose weight it is.

    Returns:
        The figure.
    """
    figure, axes = _axes(2.6, xlabel, 'videos')
    edges = np.linspace(0, 1, len(bins) + 1)
    axes.bar(edges[:-1], bins, width=np.diff(edges), align='edge', color='#56b4e9', edgecolor='w')
    axes.axvline(0.5, color='black', linewidth=0.8, linestyle=':', label='equal weights, 0.5')
    axes.axvline(mean, color='black', linestyle='--', label=f'mean {mean:.3f}')
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlim(0, 1)
    _legend(figure, ['equal weights, 0.5'])
    return figure


def _legend(figure: Figure, names: Iterable[str]) -> None:
    """Above the axes, in as many columns as there is room for."""
    widest = max(map(len, names), default=0)
    columns = 3 if widest <= 16 else 2 if widest <= 26 else 1
    figure.legend(loc='outside upper left', ncols=columns, frameon=False, fontsize='small')


def _plain(text: str) -> str:
    """Escape a label: no formula between dollars, and no hidden entry of a legend."""
    return text.replace('$', r'\$').removeprefix('_') or '?'


def _shortened(name: str, most: int = 26) -> str:
    """Names of a kind often differ at their end."""
    return name if len(name) <= most else f'{name[: most - 10]}…{name[-9:]}'
