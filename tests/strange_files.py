"""Videos that decord does not read, and files that are no videos; all are made here."""

from pathlib import Path

import numpy as np
from broken_videos import encode, picture, rotated, write_video
from PIL import Image

SECRET = 'hunter2'
FRAMES = 20
SPEED = 5  # so that a frame is nearer to itself, coded with loss, than to the next


def few_colours(t: int) -> np.ndarray:
    """Frame t, (H, W, 3), uint8, of few enough colours for a palette: a square that moves."""
    frame = np.full((48, 64, 3), (60, 80, 100), np.uint8)
    frame[2 * t : 2 * t + 8, 2 * t : 2 * t + 12] = (255, 12 * t, 7)
    return frame


def animated(path: Path) -> Path:
    """Write FRAMES of them with Pillow, without loss."""
    first, *others = (Image.fromarray(few_colours(t)) for t in range(FRAMES))
    first.save(path, save_all=True, append_images=others, duration=40)
    return path


def turned(path: Path) -> Path:
    """An .mp4 whose header asks for a quarter turn."""
    path.write_bytes(rotated(write_video(path, FRAMES, SPEED).read_bytes()))
    return path


WRITERS = {
    'av1.mp4': lambda path: encode(path, 'libsvtav1', speed=SPEED),
    'av1.webm': lambda path: encode(path, 'libsvtav1', speed=SPEED),
    'animated.gif': animated,
    'animated.apng': animated,
    'stream.ts': lambda path: encode(path, speed=SPEED),
    'stream.h264': lambda path: encode(path, speed=SPEED),
    'turned.mp4': turned,
}


def rendered(name: str) -> list[np.ndarray]:
    """The frames that were written into a file of WRITERS, as they are to be shown."""
    if name.startswith('animated'):
        return [few_colours(t) for t in range(FRAMES)]
    turns = -1 if name == 'turned.mp4' else 0
    frames = [picture(SPEED * t) for t in range(FRAMES)]
    if name == 'turned.mp4':
        frames = [frame[..., ::-1] for frame in frames]  # OpenCV writes BGR
    return [np.rot90(frame, turns) for frame in frames]


NO_VIDEOS = {
    'text.mp4': f'password {SECRET}\n' * 20,
    'list.txt': f'{SECRET}.mp4 1\n' * 20,
    'subtitles.mp4': f'1\n00:00:01,000 --> 00:00:02,000\n{SECRET}\n\n' * 10,
    'playlist.mp4': f'#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{SECRET}.ts\n#EXT-X-ENDLIST\n',
    'concatenated.mp4': f'ffconcat version 1.0\nfile {SECRET}.mp4\n',
    'binary.mp4': SECRET + '\x01\x02\x03' * 100,
}
