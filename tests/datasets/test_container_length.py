"""promised_length: a file that was cut anywhere is shorter than it says."""

import struct

import pytest
from broken_videos import encode, header_first, write_video

from mmaction_kd.datasets.container_length import promised_length


def files(folder) -> dict[str, bytes]:
    mp4 = write_video(folder / 'a.mp4', 20).read_bytes()
    mkv = encode(folder / 'a.mkv').read_bytes()
    avi = encode(folder / 'a.avi', 'mpeg4').read_bytes()
    return dict(mp4=mp4, web=header_first(mp4), avi=avi, mkv=mkv)


def test_a_whole_file_is_as_long_as_it_says(tmp_path):
    for name, content in files(tmp_path).items():
        path = tmp_path / f'{name}.bin'
        path.write_bytes(content)
        assert promised_length(path) == len(content), name


def test_a_file_that_was_cut_says_more_than_it_has(tmp_path):
    """From where its last part has begun; what is cut before has no frames to decode."""
    path = tmp_path / 'cut.bin'
    for name, content in files(tmp_path).items():
        begins = content.rfind(b'moov' if name == 'mp4' else b'mdat') + 12
        begins = 100 if name in ('avi', 'mkv') else begins
        for length in range(begins, len(content), 97):
            path.write_bytes(content[:length])
            assert promised_length(path) == len(content), (name, length)


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'ab',
        b'no video at all',
        bytes(100),
        b'\x1a\x45\xdf\xa3',
        b'\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff',  # a live stream
        struct.pack('>I4sI', 8, b'ftyp', 0),  # a part up to the end of the file
        struct.pack('>I4s', 8, b'ftyp') + b'appended by others',
    ],
)
def test_other_files_say_nothing(tmp_path, content):
    path = tmp_path / 'file'
    path.write_bytes(content)
    assert promised_length(path) <= len(content)


def test_parts_of_more_than_four_gigabytes(tmp_path):
    path = tmp_path / 'file'
    long = struct.pack('>I4sQ', 1, b'mdat', 1 << 33)
    path.write_bytes(struct.pack('>I4s', 8, b'ftyp') + long)
    assert promised_length(path) == 8 + (1 << 33)
    path.write_bytes(b'RIFF' + struct.pack('<I', 4) + b'AVI RIFF' + struct.pack('<I', 1000))
    assert promised_length(path) == 12 + 8 + 1000
