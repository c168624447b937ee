"""Videos that are damaged in every way that a disk, a download or a camera knows."""

import io
import struct
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest


def picture(t: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Frame t of a video, (H, W, 3), uint8: ramps that move."""
    y, x = np.mgrid[:height, :width]
    return (np.stack([x * 3 + 4 * t, y * 3 + 2 * t, (x + y) * 2 + t], -1) % 256).astype(np.uint8)


def write_video(path: Path, num_frames: int, speed: int = 1) -> Path:
    """Write an .mp4 with OpenCV, 64 x 48 pixels, of each ``speed``-th picture."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48))
    for t in range(num_frames):
        writer.write(picture(speed * t))
    writer.release()
    return path


def boxes(mp4: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each top-level part of an .mp4 file."""
    start = 0
    while start < len(mp4):
        size = int.from_bytes(mp4[start : start + 4], 'big')
        yield mp4[start + 4 : start + 8], mp4[start : start + size]
        start += size


def header_first(mp4: bytes) -> bytes:
    """The same video with its table of contents before the frames, as for the web."""
    parts = list(boxes(mp4))
    moov = bytearray(next(part for kind, part in parts if kind == b'moov'))
    start = moov.find(b'stco')  # version and flags, number of entries, offsets in the file
    (count,) = struct.unpack_from('>I', moov, start + 8)
    for place in range(start + 12, start + 12 + 4 * count, 4):
        struct.pack_into('>I', moov, place, struct.unpack_from('>I', moov, place)[0] + len(moov))
    (first, *others) = [part for kind, part in parts if kind != b'moov']
    return b''.join([first, moov, *others])


def rotated(mp4: bytes) -> bytes:
    """The same video with a note that it is to be shown turned by 90 degrees."""
    content = bytearray(mp4)
    matrix = content.find(b'tkhd') + 4 + 4 + 20 + 8 + 8
    unity = struct.pack('>9i', 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    assert content[matrix : matrix + 36] == unity
    content[matrix : matrix + 36] = struct.pack('>9i', 0, 1 << 16, 0, -1 << 16, *[0] * 4, 1 << 30)
    return bytes(content)


def zeroed(content: bytes, start: float, end: float) -> bytes:
    """Zeros from one ratio of the file to another."""
    first, last = int(start * len(content)), int(end * len(content))
    return content[:first] + bytes(last - first) + content[last:]


def without_frames(folder: Path) -> bytes:
    """An .mp4 that was opened and closed."""
    path = folder / 'none.mp4'
    cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, (64, 48)).release()
    content = path.read_bytes()
    path.unlink()
    return content


def sound() -> bytes:
    """A second of it, without a picture."""
    file = io.BytesIO()
    with wave.open(file, 'wb') as audio:
        audio.setnchannels(1), audio.setsampwidth(2), audio.setframerate(8000)
        audio.writeframes(np.random.default_rng(0).bytes(16000))
    return file.getvalue()


def twenty_bad(mp4: bytes, folder: Path) -> dict[str, bytes | None]:
    """Contents by name of videos that decord can not read; None is no file at all."""
    web = header_first(mp4)
    found: dict[str, bytes | None] = dict(
        missing=None,
        zero_bytes=b'',
        one_byte=mp4[:1],
        no_video=b'no video ' * 100,
        only_zeros=bytes(len(mp4)),
        zero_frames=without_frames(folder),
        audio_only=sound(),
        zeroed_middle=zeroed(mp4, 0.3, 0.5),
        zeroed_middle_of_web=zeroed(web, 0.5, 0.7),
        zeroed_header=zeroed(web, 0.02, 0.1),
        cut_header=mp4[: (mp4.find(b'moov') + len(mp4)) // 2],
    )
    # The table of contents comes last, so that all of these have none or a part of it.
    found |= {f'cut_{percent}': mp4[: len(mp4) * percent // 100] for percent in (3, 30, 60, 80)}
    # It comes first here, and promises frames that are not there.
    found |= {f'web_{percent}': web[: len(web) * percent // 100] for percent in (5, 20, 40, 60, 80)}
    assert len(found) == 20
    return found


def two_hundred(folder: Path) -> list[str]:
    """Write 180 good videos and 20 bad ones among them, and ``ann.txt``; label = place.

    Returns:
        The names, without .mp4, in order; those of the good ones begin with 'good'.
    """
    good = write_video(folder / 'good.mp4', 10)
    bad = twenty_bad(good.read_bytes(), folder)
    names = [f'good_{i}' for i in range(200 - len(bad))]
    for name in names:
        (folder / f'{name}.mp4').hardlink_to(good)
    for name, content in bad.items():
        names.insert(int(np.random.default_rng(len(names)).integers(len(names))), name)
        if content is not None:
            (folder / f'{name}.mp4').write_bytes(content)
    lines = [f'{name}.mp4 {label}' for label, name in enumerate(names)]
    (folder / 'ann.txt').write_text('\n'.join(lines))
    return names


def encode(
    path: Path, codec='libx264', size=(64, 48), pixels='yuv420p', times=None, speed: int = 1
) -> Path:
    """Write 20 frames with PyAV, each ``speed``-th picture; ``times`` in ms: at a variable rate."""
    av = pytest.importorskip('av', reason='needs PyAV')
    av.logging.set_level(None)
    with av.open(str(path), 'w') as file:
        try:
            stream = file.add_stream(codec, rate=25)
        except ValueError:
            pytest.skip(f'needs {codec}')
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for t in range(20):
            frame = av.VideoFrame.from_ndarray(picture(speed * t, *size), format='rgb24')
            if times is not None:
                frame.pts, frame.time_base = int(times[t]), Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
