"""Drawing: what is on the page, and names that would be something else in a figure."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from mmaction_kd.visualization import figure_pixels, filmstrip_figure, picture_name, png_bytes
from mmaction_kd.visualization.explain_video import RecognizerView, Scores, VideoPicture
from mmaction_kd.visualization.filmstrip import plain
from mmaction_kd.visualization.shown_frames import ShownClip

EVIL = ['$\\frac{', '<b>&amp;', 'a\nb\x00', '%s {0} _^', '名' * 300, 'x' * 300, '', '$E=mc^2$']


def clip(frames=16, height=8, width=12, numbers=True, fps=25.0):
    own = 10 + 3 * np.arange(frames) if numbers else None
    pixels = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    return ShownClip(pixels, own, 0, 100 if numbers else None, fps, 4, 3, 3)


def attention(frames, layers=3):
    row = np.random.default_rng(0).random((layers, 1 + frames))
    return row / row.sum(1, keepdims=True)


def picture(classes=('walk', 'run', 'jump', 'sit', 'lie', 'stand'), views=None, **changes):
    values = np.random.default_rng(0).dirichlet(np.ones(len(classes)))
    scores = [Scores(name, values, 'words') for name in ('Local', 'Global', 'Fused')]
    views = views or [
        RecognizerView('Local pathway', clip()),
        RecognizerView('Global pathway', clip()),
    ]
    content = dict(title='a.mp4', views=views, scores=scores, classes=list(classes), truths=(1,))
    return VideoPicture(**dict(content, answer=int(values.argmax()), **changes))


def words_of(figure):
    texts = [text for text in figure.findobj(lambda artist: hasattr(artist, 'get_parse_math'))]
    return [text for text in texts if text.get_text()]


def images_of(figure):
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.get_images()]


def test_the_frames_are_drawn_as_they_are():
    own = clip()
    images = images_of(filmstrip_figure(picture(views=[RecognizerView('Model', own)])))
    assert len(images) == len(own.frames)
    assert all(np.array_equal(a, b) for a, b in zip(images, own.frames, strict=True))


def test_of_many_frames_every_nth_is_drawn_and_every_bar():
    own, weights = clip(frames=40), attention(40)
    figure = filmstrip_figure(picture(views=[RecognizerView('Model', own, attention=weights)]))
    images = images_of(figure)
    assert len(images) == 14
    assert all(np.array_equal(a, b) for a, b in zip(images, own.frames[::3], strict=True))
    assert any('every 3rd is drawn' in text.get_text() for text in words_of(figure))
    [bars] = [a.patches for a in figure.axes if len(a.patches) == 40]
    assert [bar.get_height() for bar in bars] == pytest.approx(weights[-1, 1:])
    # frame i is drawn at x = i, its bar below it
    assert [bar.get_x() + bar.get_width() / 2 for bar in bars] == pytest.approx(np.arange(40))
    ends = [image.get_extent()[:2] for axes in figure.axes for image in axes.get_images()]
    assert np.mean(ends, 1) == pytest.approx(np.arange(0, 40, 3))
    strips = [axes for axes in figure.axes if axes.get_images() or axes.patches == bars]
    assert len({axes.get_xlim() for axes in strips}) == 1


def test_heat_lies_over_its_frame():
    own, heat = clip(frames=2), np.zeros((2, 8, 12), np.float32)
    heat[1, 4] = 1
    figure = filmstrip_figure(picture(views=[RecognizerView('Model', own, heat=heat)]))
    _, _, frame, nothing, other, glow, *_ = images_of(figure)
    assert np.array_equal(frame, own.frames[0]) and np.array_equal(other, own.frames[1])
    assert (nothing[..., 3] == 0).all()
    assert (glow[..., 3] > 0).nonzero()[0].tolist() == [4] * 12


@pytest.mark.filterwarnings('ignore:Glyph')  # no font here has every letter
@pytest.mark.parametrize('name', EVIL)
def test_names_are_drawn_as_they_are(name):
    figure = filmstrip_figure(
        picture(classes=[name, *'bcdefg'], title=name, truths=(0,), notes=[name])
    )
    assert figure_pixels(figure).shape[1] == 1600
    ours = [text for text in words_of(figure) if 'True class' in text.get_text()]
    assert ours and not any(text.get_parse_math() for text in ours)
    if '$' in name:
        assert all(not t.get_parse_math() for t in words_of(figure) if name in t.get_text())
        assert any(name in text.get_text() for text in words_of(figure))


def test_long_names_keep_both_ends():
    assert plain('swing baseball and the rest of it', 11) == 'swing…of it'
    assert plain('a\nb') == 'a\N{REPLACEMENT CHARACTER}b'


def test_true_classes_are_shown_whatever_their_rank():
    """A class of no weight at all, as outside a teacher's subset, is shown only if it is true."""
    classes = [f'class{k}' for k in range(20)]
    values = np.array([0.5, 0.3, 0.2] + [0.0] * 17)
    content = picture(classes, truths=(7,))
    content.scores = [Scores('Model', values)]
    words = [text.get_text() for text in words_of(filmstrip_figure(content))]
    names = [word for word in words if word.lstrip('✓ 0123456789.').startswith('class')]
    assert names == ['class0', 'class1', 'class2', '✓ 8. class7']


@pytest.mark.parametrize(
    'view',
    [
        RecognizerView('Model', clip(numbers=False, fps=None)),
        RecognizerView('Model', clip(fps=None), heat_note='no Grad-CAM: a ViT has no feature maps'),
        RecognizerView('Model', clip(frames=1)),
        RecognizerView('Model', clip(), heat=np.zeros((16, 8, 12)), heat_note='backbone.layer4'),
        RecognizerView(
            'Model', clip(frames=64, height=30, width=20), attention=attention(64, layers=1)
        ),
        RecognizerView('Model', clip(), attention=attention(16, layers=12)),
    ],
    ids=['no numbers', 'no maps', 'one frame', 'no heat', 'many frames', 'many layers'],
)
def test_nothing_is_cut_off_or_overlaps(view):
    content = picture(views=[view, RecognizerView('Other', clip(frames=8))])
    figure = filmstrip_figure(content)
    pixels = figure_pixels(figure)
    assert (pixels[[0, -1]] == 255).all() and (pixels[:, [0, -1]] == 255).all()
    renderer = figure.canvas.get_renderer()
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).padded(-1))
        for text in words_of(figure)
        if text.get_visible() and text.get_window_extent(renderer).height > 1
    ]
    for index, (name, box) in enumerate(boxes):
        others = [other for other, place in boxes[:index] if box.overlaps(place)]
        assert not others, (name, others)


def test_pyplot_knows_nothing_of_it():
    before = pyplot.get_fignums()
    pixels = figure_pixels(filmstrip_figure(picture()))
    assert pyplot.get_fignums() == before
    read = np.asarray(Image.open(io.BytesIO(png_bytes(pixels))))
    assert np.array_equal(read, pixels)


@pytest.mark.parametrize(
    ('video', 'name'),
    [
        ('/a/b/v_walk_g01.avi', 'v_walk_g01'),
        ('../../etc/passwd', 'passwd'),
        ('..', 'video'),
        ('/', 'video'),
        ('a/.hidden.mp4', 'hidden'),
        ('b/$(rm x);*?.mp4', '_rm_x_'),
        ('http://x.org/a.mp4', 'a'),
        ('c:\\d\\e.mp4', 'c_d_e'),
        ('x' * 300 + '.mp4', 'x' * 60),
        ('名前.mp4', '名前'),
    ],
)
def test_a_picture_stays_in_its_folder(tmp_path, video, name):
    assert picture_name(video) == name
    assert picture_name(video, 12) == f'00012_{name}'
    assert (tmp_path / f'{name}.png').resolve().parent == tmp_path.resolve()
