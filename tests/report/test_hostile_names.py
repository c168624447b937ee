"""Whatever classes, metrics and folders are called, the page holds them as text."""

from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_up_run import evaluation, write_run
from strange_input import FEW, NAMES, SETTINGS

from mmaction_kd.report.page import run_page
from mmaction_kd.report.run import load_run

ELEMENTS = {
    'html', 'head', 'meta', 'title', 'style', 'body', 'h1', 'h2', 'h3', 'p', 'div', 'table', 'tr',
    'th', 'td', 'figure', 'figcaption', 'img', 'details', 'summary',
}  # fmt: skip
ATTRIBUTES = {'lang', 'charset', 'name', 'content', 'class', 'src', 'alt', 'open'}
VOID = {'meta', 'img'}


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its text."""

    def __init__(self):
        super().__init__()
        self.inside, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag in ELEMENTS, tag
        self.attributes += attrs
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag):
        assert self.inside.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(data)


def page_holds_names_as_text(folder, classes, metric, name):
    matrix = np.array([[3, 1, 0], [0, 2, 2], [1, 0, 3]])
    lines = [evaluation(matrix, metrics={metric: 0.5})]
    run = load_run(write_run(folder, lines, classes, name=name, log=()))
    html = run_page(run, notes=[name], written=metric)
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.inside
    for key, value in reader.attributes:
        assert key in ATTRIBUTES, key
        assert key != 'src' or value.startswith('data:image/')
    text = ''.join(reader.text)
    for shown in (*classes, metric, name):
        assert shown in text, shown


LISTS = st.lists(NAMES, min_size=3, max_size=3, unique=True)
HOSTILE = '"><img src=x onerror=alert(1)>'


@FEW
@given(classes=LISTS, metric=NAMES, name=NAMES.filter(bool))
@example(classes=['<script>alert(1)</script>', HOSTILE, '$\\frac{'], metric=HOSTILE, name=HOSTILE)
def test_names_are_text(tmp_path_factory, classes, metric, name):
    page_holds_names_as_text(tmp_path_factory.mktemp('run') / 'a', classes, metric, name)


@pytest.mark.slow
@settings(max_examples=100, **SETTINGS)
@given(classes=LISTS, metric=NAMES, name=NAMES.filter(bool))
def test_many_names_are_text(tmp_path_factory, classes, metric, name):
    page_holds_names_as_text(tmp_path_factory.mktemp('run') / 'a', classes, metric, name)
