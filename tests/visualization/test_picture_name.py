"""Names of pictures: files of one folder, whatever a video is called."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from strange_input import NAMES, QUICK

from mmaction_kd.visualization import picture_name

PATHS = st.lists(NAMES, min_size=1, max_size=3).map('/'.join)


@QUICK
@given(video=PATHS, number=st.none() | st.integers(0, 10**9))
def test_a_picture_is_a_file_of_its_folder(tmp_path, video, number):
    name = f'{picture_name(video, number)}.png'
    path = tmp_path / name
    assert path.parent == tmp_path == (tmp_path / name).resolve().parent
    assert not name.startswith('.') and not set(name) & set('/\\\0\n\r')
    path.with_name(f'{name}.part').write_bytes(b'')  # as write_atomically makes it first
    path.with_name(f'{name}.part').rename(path)
    assert [found.name for found in tmp_path.iterdir()] == [name]
    path.unlink()


@QUICK
@given(videos=st.lists(PATHS, min_size=2, max_size=2))
def test_videos_of_one_name_have_pictures_of_their_own(videos):
    first, second = (picture_name(video, number) for number, video in enumerate(videos))
    assert first != second and Path(first).name == first
