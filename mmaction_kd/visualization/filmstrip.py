"""Draw a prediction: frames, Grad-CAM, attention and scores in one figure."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from mmaction_kd.report.figures.palette import ROLES
from mmaction_kd.visualization.explain_video import RecognizerView, Scores, VideoPicture
from mmaction_kd.visualization.shown_frames import ShownClip

DPI = 100
WIDTH = 16.0  # inches, as all lengths here
LEFT, RIGHT = 1.6, 0.9
MOST_FRAMES = 16  # in a strip; of more, every n-th is drawn
LARGEST_FRAME = 1.4
TOP_CLASSES = 5
HEAT = colormaps['inferno']
HEAT_OPACITY = 0.65  # where Grad-CAM has its maximum
TRUE_COLOUR = '#006644'
GREY = '#595959'
LONGEST_NAME = 26  # characters
MARKERS = 'ovs'  # of the layers before the last; of more, their mean is drawn


def plain(text: str, longest: int = 110) -> str:
    """Make text safe to draw: one line of printable characters, not too long.

    Args:
        text: whatever a file or a class is called.
        longest: in characters.

    Returns:
        It, with `…` for what is left out in the middle.
    """
    visible = ''.join(c if c.isprintable() else '\N{REPLACEMENT CHARACTER}' for c in text)
    if len(visible) <= longest:
        return visible
    tail = (longest - 1) // 2
    return f'{visible[: longest - 1 - tail]}…{visible[-tail:]}'


def filmstrip_figure(picture: VideoPicture) -> Figure:
    """Draw a picture.

    From top to bottom: the video and the answer; where in the video the frames are; for each
    recognizer its frames, Grad-CAM over them, and below them, aligned in time, the attention of a
    VTN's [CLS] to each frame (bars: last layer, which forms the feature; markers: the layers before
    it; mean over heads); the best classes.

    Names are drawn as they are: nothing in them is taken for mathematics.

    Args:
        picture: see :func:`~mmaction_kd.visualization.explain_video.explain_video`.

    Returns:
        A figure of 1600 pixels' width, with no state in pyplot.
    """
    page = _Page()
    _draw_title(page, picture)
    _draw_timeline(page, picture.views)
    for view in picture.views:
        _draw_view(page, view, _colour(view.name), picture.classes[picture.answer])
    _draw_scores(page, picture)
    for note in picture.notes:
        page.write(plain(note, 200), color=GREY, fontsize=10)
    return page.figure()


def figure_pixels(figure: Figure) -> np.ndarray:
    """Render a figure as an image, (H, W, 3), RGB, uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def png_bytes(pixels: np.ndarray) -> bytes:
    """Encode an image (H, W, 3) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'png')
    return buffer.getvalue()


class _Page:
    """A figure that grows downwards; places are in inches from its top left corner."""

    def __init__(self) -> None:
        self.y = 0.15
        self._figure = Figure(figsize=(WIDTH, 1), dpi=DPI, facecolor='white')
        self._axes: list[tuple[Axes, tuple[float, float, float, float]]] = []
        self._texts: list[tuple[float, float, str, dict]] = []

    def axes(self, x: float, width: float, height: float, down: float = 0.0) -> Axes:
        """Add axes at x, ``down`` below the current position, without moving it."""
        new = self._figure.add_axes((0, 0, 1, 1), label=str(len(self._axes)))
        self._axes.append((new, (x, self.y + down, width, height)))
        return new

    def text(self, x: float, y: float, text: str, **style: object) -> None:
        style = dict(dict(va='top', parse_math=False, usetex=False), **style)
        self._texts.append((x, y, text, style))

    def write(self, text: str, fontsize: int, **style: object) -> None:
        """Add a line of text at the left, below the current content."""
        self.text(0.3, self.y, text, fontsize=fontsize, **style)
        self.y += 1.55 * fontsize / 72

    def figure(self) -> Figure:
        """Build the figure, as high as its content."""
        height = self.y + 0.15
        self._figure.set_size_inches(WIDTH, round(height * DPI) / DPI)
        for axes, (x, y, w, h) in self._axes:
            axes.set_position((x / WIDTH, 1 - (y + h) / height, w / WIDTH, h / height))
        for x, y, text, style in self._texts:
            self._figure.text(x / WIDTH, 1 - y / height, text, **style)  # type: ignore[arg-type]
        return self._figure


def _draw_title(page: _Page, picture: VideoPicture) -> None:
    page.write(plain(picture.title), fontsize=15, weight='bold')
    score = picture.scores[-1].values[picture.answer]
    words = f'Answer: {plain(picture.classes[picture.answer], 40)} ({score:.2f})'
    if picture.truths:
        right = picture.answer in picture.truths
        names = ', '.join(plain(picture.classes[index], 40) for index in picture.truths)
        words += f', {"right" if right else "wrong"}.   True class: {plain(names, 80)}'
    page.write(words, fontsize=13)
    page.y += 0.1


def _draw_timeline(page: _Page, views: Sequence[RecognizerView]) -> None:
    """Mark the frames of the shown view in the video, a line for each recognizer."""
    known = [view for view in views if view.clip.total_frames]
    if not known:
        page.write(
            'Positions of the frames in the video are unknown: the pipeline did not pack them.',
            color=GREY,
            fontsize=10,
        )
        return
    page.write('Positions of the frames below in the video', fontsize=10, color=GREY)
    height = 0.22 * len(known)
    axes = page.axes(LEFT, WIDTH - LEFT - RIGHT, height, down=0.05)
    clip = known[0].clip
    first, last = clip.first, clip.first + int(clip.total_frames or 1) - 1
    for row, view in enumerate(known):
        colour = _colour(view.name)
        axes.barh(row, last - first + 1, 0.7, first - 0.5, color='#e8e8e8')
        axes.barh(row, 1, 0.7, np.unique(_numbers(view.clip)) - 0.5, color=colour)
    axes.set(xlim=(first - 0.5, last + 0.5), ylim=(len(known) - 0.5, -0.5))
    axes.set_yticks(range(len(known)), [view.name.removesuffix(' pathway') for view in known])
    ticks = np.unique(np.linspace(first, last, 9).round().astype(int))
    seconds = [f'\n{(tick - first) / clip.fps:.2f} s' if clip.fps else '' for tick in ticks]
    axes.set_xticks(ticks, [f'{t}{s}' for t, s in zip(ticks, seconds, strict=True)])
    axes.spines[:].set_visible(False)
    axes.tick_params(labelsize=9, length=2)
    page.text(LEFT - 0.12, page.y + height + 0.095, 'frame', ha='right', fontsize=9)
    page.y += height + 0.55


def _numbers(clip: ShownClip) -> np.ndarray:
    return np.empty(0) if clip.numbers is None else clip.numbers


def _words(clip: ShownClip) -> str:
    count, height, width = clip.frames.shape[:3]
    words = f'{count} frames of {width} × {height} px'
    views = clip.clips * clip.crops
    if views > 1:
        crop, number = divmod(clip.view, clip.clips)
        words += f'; view {clip.view + 1} of {views}'
        words += f' (clip {number + 1} of {clip.clips}, crop {crop + 1} of {clip.crops})'
    if (np.diff(_numbers(clip)) < 0).any():
        words += '; the video is shorter than the clip and starts over'
    return words


def _draw_view(page: _Page, view: RecognizerView, colour: str, answer: str) -> None:
    clip = view.clip
    count, height, width = clip.frames.shape[:3]
    step = -(-count // MOST_FRAMES)
    shown = np.arange(0, count, step)
    words = _words(clip) + (f', every {_ordinal(step)} is drawn' if step > 1 else '')
    page.write(plain(view.name, 24), fontsize=13, weight='bold', color=colour)
    page.text(LEFT + 1.2, page.y - 0.245, words, fontsize=10, color=GREY)
    slot = min((WIDTH - LEFT - RIGHT) / len(shown), LARGEST_FRAME)
    across, down = slot * len(shown), 0.96 * slot * height / width
    limits = (-step / 2, step * (len(shown) - 0.5))  # frame i of the clip is drawn at x = i

    def strip(label: str) -> Axes:
        axes = page.axes(LEFT, across, down)
        axes.set(xlim=limits, xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        page.text(LEFT - 0.12, page.y + down / 2, label, ha='right', va='center', fontsize=10)
        return axes

    def draw(axes: Axes, index: int, image: np.ndarray, **style: object) -> None:
        place = (index - 0.48 * step, index + 0.48 * step, 0, 1)
        axes.imshow(image, extent=place, aspect='auto', **style)  # type: ignore[arg-type]

    axes = strip('frames')
    for index in shown:
        draw(axes, index, clip.frames[index])
    axes.set(xlim=limits, ylim=(0, 1))
    page.y += down + 0.04
    if view.heat is not None:
        axes = strip('Grad-CAM')
        for index in shown:
            draw(axes, index, clip.frames[index])
            draw(axes, index, _glow(view.heat[index]))
        axes.set(xlim=limits, ylim=(0, 1))
        if view.heat.any():
            _draw_scale(page, LEFT + across + 0.12, down)
        page.y += down + 0.04
    if view.attention is not None:
        _draw_attention(page, view.attention, across, limits, colour)
    _draw_frame_numbers(page, clip, shown, across, limits)
    if view.heat is not None:
        layer, name = plain(view.heat_note, 60), plain(answer, 40)
        if view.heat.any():
            words = f"Grad-CAM of {layer}, this view: the brighter, the more it supports '{name}'"
        else:
            words = f"Grad-CAM of {layer}: nothing in this view supports '{name}'"
        page.write(words, fontsize=10, color=GREY)
    elif view.heat_note:
        page.write(plain(view.heat_note), fontsize=10, color=GREY)
    page.y += 0.12


def _ordinal(number: int) -> str:
    return {2: '2nd', 3: '3rd'}.get(number, f'{number}th')


def _glow(heat: np.ndarray) -> np.ndarray:
    """Heat (H, W) in [0, 1] as colour and opacity, (H, W, 4)."""
    glow = HEAT(heat)
    glow[..., 3] = HEAT_OPACITY * heat
    return glow


def _draw_scale(page: _Page, x: float, height: float) -> None:
    axes = page.axes(x, 0.1, height * 0.9, down=height * 0.05)
    gradient = np.linspace(1, 0, 64)[:, None]
    axes.imshow(np.full((1, 1, 3), 0.5), aspect='auto', extent=(0, 1, 0, 1))  # as on a grey frame
    axes.imshow(_glow(gradient), aspect='auto', extent=(0, 1, 0, 1))
    axes.yaxis.tick_right()
    axes.set(xticks=[])
    axes.set_yticks([0, 1], ['none', 'most'], fontsize=8)


def _draw_attention(
    page: _Page,
    attention: np.ndarray,
    across: float,
    limits: tuple[float, float],
    colour: str,
) -> None:
    layers, tokens = attention.shape
    height = 1.0
    page.y += 0.28  # the legend stands above
    axes = page.axes(LEFT, across, height)
    frames = np.arange(tokens - 1)
    width = 0.5 if tokens - 1 <= MOST_FRAMES else 0.8
    bars = axes.bar(frames, attention[-1, 1:], width, color=colour, alpha=0.85)
    handles: list[Artist | Container] = [bars]
    names = [f'layer {layers}, the last (to [CLS] itself {attention[-1, 0]:.2f})']
    earlier = [(f'layer {layer + 1}', row) for layer, row in enumerate(attention[:-1])]
    if len(earlier) > len(MARKERS):
        earlier = [(f'mean of layers 1 to {layers - 1}', attention[:-1].mean(0))]
    for (name, row), marker in zip(earlier, MARKERS, strict=False):
        handles += axes.plot(frames, row[1:], marker, color='black', markersize=4, alpha=0.6)
        names.append(f'{name} (to [CLS] {row[0]:.2f})')
    handles.append(axes.axhline(1 / tokens, color=GREY, linewidth=1, linestyle='--'))
    names.append('uniform')
    axes.legend(
        handles,
        names,
        loc='lower right',
        bbox_to_anchor=(1, 0.97),
        ncols=len(names),
        fontsize=9,
        frameon=False,
        borderaxespad=0,
        handletextpad=0.4,
        columnspacing=1.2,
    )
    top = 1.12 * max(attention[:, 1:].max(), 1 / tokens)
    axes.set(xlim=limits, ylim=(0, top), xticks=[])
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    words = 'attention\nof [CLS]\nto the frame'
    page.text(LEFT - 0.5, page.y + height / 2, words, ha='right', va='center', fontsize=10)
    page.y += height + 0.03


def _draw_frame_numbers(
    page: _Page, clip: ShownClip, shown: np.ndarray, across: float, limits: tuple[float, float]
) -> None:
    axes = page.axes(LEFT, across, 0.001)
    axes.spines[:].set_visible(False)
    axes.set(xlim=limits, yticks=[])
    if clip.numbers is None:
        labels, words = [str(index) for index in shown], 'frame of\nthe clip'
    else:
        labels, words = [str(number) for number in clip.numbers[shown]], 'frame'
        if clip.seconds is not None:
            seconds = clip.seconds[shown]
            labels = [f'{label}\n{s:.2f} s' for label, s in zip(labels, seconds, strict=True)]
    axes.set_xticks(shown, labels, fontsize=9)
    axes.tick_params(length=0, pad=3)
    page.text(LEFT - 0.12, page.y + 0.035, words, ha='right', fontsize=9)
    page.y += 0.42


def _colour(name: str) -> str:
    """Return the colour of a role, which is the same in every figure."""
    words = re.findall(r'\w+', name.lower())
    return next((ROLES[word] for word in words if word in ROLES), ROLES['run'])


def _draw_scores(page: _Page, picture: VideoPicture) -> None:
    """Draw the top classes of each distribution, the true ones marked."""
    page.y += 0.05
    panels = picture.scores
    rows = max(len(_rows(scores, picture.truths)) for scores in panels)
    across = (WIDTH - 0.3) / max(len(panels), 2)
    down = 0.55 if any(scores.note for scores in panels) else 0.32
    height = 0.27 * rows
    top = max(1.0, *(float(scores.values.max()) for scores in panels))
    low = min(0.0, *(float(scores.values.min()) for scores in panels))
    probable = all(abs(scores.values.sum() - 1) < 1e-2 for scores in panels) and low == 0
    for position, scores in enumerate(panels):
        colour = _colour(scores.name)
        left = 0.3 + position * across
        page.text(left, page.y, plain(scores.name, 36), fontsize=13, weight='bold', color=colour)
        page.text(left, page.y + 0.27, plain(scores.note, 48), fontsize=11)
        label_width = min(2.4, 0.5 * across)
        width = across - label_width - 0.9
        axes = page.axes(left + label_width, width, height, down)
        indices = _rows(scores, picture.truths)
        values = scores.values[indices]
        axes.barh(range(len(indices)), values, 0.7, color=colour, alpha=0.85)
        axes.set(xlim=(low, top), ylim=(rows - 0.4, -0.6), yticks=[])
        axes.spines[['top', 'right']].set_visible(False)
        axes.tick_params(labelsize=9)
        axes.set_xlabel('probability' if probable else 'score', fontsize=9)
        ranks = np.argsort(-scores.values, kind='stable').tolist()
        for row, index in enumerate(indices):
            y = page.y + down + height * (row + 0.6) / (rows + 0.2)
            true = index in picture.truths
            name = plain(picture.classes[index], LONGEST_NAME)
            if (rank := ranks.index(index)) >= TOP_CLASSES:
                name = f'{rank + 1}. {plain(picture.classes[index], LONGEST_NAME - 5)}'
            style = dict(weight='bold', color=TRUE_COLOUR) if true else {}
            mark = '✓ ' if true else ''
            page.text(
                left + label_width - 0.1,
                y,
                mark + name,
                ha='right',
                va='center',
                fontsize=10,
                **style,
            )
            axes.annotate(
                '< 0.01' if 0 < values[row] < 0.005 else f'{values[row]:.2f}',
                (values[row], row),
                (3, 0),
                textcoords='offset points',
                va='center',
                fontsize=9,
                annotation_clip=False,
            )
    page.y += down + height + 0.5
    if picture.truths:
        words = '✓ true class'
        if rows > TOP_CLASSES:
            words += ', with its rank where it is not among the first five'
        page.write(words, fontsize=10, color=TRUE_COLOUR)


def _rows(scores: Scores, truths: Sequence[int]) -> list[int]:
    """Return the top classes, then the true ones that are not among them."""
    best = np.argsort(-scores.values, kind='stable')[:TOP_CLASSES].tolist()
    best = [index for index in best if scores.values[index] != 0]  # outside a teacher's subset
    return best + [index for index in truths[:TOP_CLASSES] if index not in best]
