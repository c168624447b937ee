"""Frames as they are in the file, and streams that fail."""

import functools
import http.server
import shutil
import socketserver
import threading
import time
import types

import cv2
import numpy as np
import pytest
from strange_files import FRAMES, WRITERS, rendered

from mmaction_kd.streaming import Gap, LiveFrames, frame_source, open_source
from mmaction_kd.streaming.frame_source import READERS


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    while (read := video.read())[0]:
        yield read[1][..., ::-1]


each_reader = pytest.mark.parametrize('reader', READERS)


@each_reader
def test_a_file_is_read_to_its_end(tiny_video, reader):
    source = open_source(str(tiny_video), reader=reader)
    assert (source.fps, source.total, source.late()) == (25, 60, False)
    found, expected = list(source.frames()), list(frames_of(tiny_video))
    assert len(found) == 60 and all(map(np.array_equal, found, expected))
    assert len(list(source.frames())) == 60


@pytest.mark.parametrize('name', ['turned.mp4', 'stream.ts', 'stream.h264', 'animated.gif'])
def test_both_readers_give_the_same_frames(name, tmp_path):
    """Upright; a file whose header has no number of frames ends, and is no live stream."""
    path = str(WRITERS[name](tmp_path / name))
    opencv, pyav = (open_source(path, reader=reader) for reader in READERS)
    assert opencv.fps == pyav.fps == 25
    frames = [list(source.frames()) for source in (opencv, pyav)]
    assert len(frames[0]) == len(frames[1]) == FRAMES
    # Of a palette OpenCV and PyAV convert by other paths.
    assert max(cv2.absdiff(*pair).max() for pair in zip(*frames, strict=True)) <= 1


def test_auto_takes_the_reader_that_decodes(tmp_path):
    """OpenCV opens AV1 and gives no frame."""
    path = str(WRITERS['av1.webm'](tmp_path / 'av1.webm'))
    with pytest.raises(ValueError, match='must be a video that can be read, got no frame from op'):
        open_source(path, reader='opencv')
    source = open_source(path)
    found = list(source.frames())
    assert source.total == len(found) == FRAMES
    errors = [
        np.abs(a.astype(int) - b).mean() for a, b in zip(found, rendered('av1.webm'), strict=True)
    ]
    assert max(errors) < 8


def test_a_folder_of_images_is_one_video_in_the_order_of_names(tiny_video, tmp_path):
    expected = list(frames_of(tiny_video))[:12]
    for number in reversed(range(12)):
        cv2.imwrite(str(tmp_path / f'img_{number:05}.png'), expected[number][..., ::-1])
    (tmp_path / 'notes.txt').write_text('no frame')
    source = open_source(str(tmp_path), fps=10)
    assert (source.fps, source.total) == (10, 12)
    assert all(map(np.array_equal, source.frames(), expected))


@each_reader
def test_an_address_of_a_file_is_read_like_the_file(tiny_video, reader):
    """Through a server, as the address of a camera would be; it ends and is not opened again."""
    handler = functools.partial(QuietHandler, directory=tiny_video.parent)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}/{tiny_video.name}'
        source = open_source(address, reader=reader)
        found = list(source.frames())
        server.shutdown()
    assert source.total == len(found) == 60
    assert all(map(np.array_equal, found, frames_of(tiny_video)))


@pytest.mark.parametrize('stalls', [False, True])
@each_reader
def test_a_live_address_that_fails_is_opened_again(reader, stalls, tmp_path, no_pauses):
    """It sends a video without a length, twice: and either ends, or stays open and silent."""
    content = WRITERS['stream.ts'](tmp_path / 'stream.ts').read_bytes()
    silent = threading.Event()

    class Handler(QuietHandler):
        def do_GET(self):
            served.append(1)
            self.send_response(200 if len(served) <= 2 else 404)
            self.end_headers()
            self.wfile.write(content)
            if stalls and len(served) <= 2:
                silent.wait(20)

    served = []
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://127.0.0.1:{server.server_port}/live'
        source = open_source(address, patience=1, attempts=2, reader=reader)
        found = []
        with pytest.raises(ValueError, match=f'{address} .* got 2 failures'):
            found.extend(source.frames())
        silent.set()
        server.shutdown()
    assert source.total is None and source.fps == 25
    [gap] = [place for place, frame in enumerate(found) if isinstance(frame, Gap)]
    # The first frame showed that it can be read.
    assert (gap, len(found) - gap - 1) == (FRAMES - 1, FRAMES)


@pytest.mark.parametrize('sent', ['nothing', 'a video'])
@each_reader
def test_a_connection_is_given_up_when_its_patience_ends(reader, sent, tmp_path):
    # So long that it is opened before it stalls.
    content = 5 * WRITERS['stream.ts'](tmp_path / 'stream.ts').read_bytes()
    left = threading.Event()

    class Handler(QuietHandler):
        def do_GET(self):
            if sent == 'a video':
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)
            left.wait(60)

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        since = time.monotonic()
        capture = READERS[reader](f'http://127.0.0.1:{server.server_port}/live', 1)
        assert capture.isOpened() == (sent == 'a video')
        while capture.isOpened() and capture.read()[0]:
            pass
        assert time.monotonic() - since < 20  # FFmpeg's own are 30 s and more
        left.set()
        server.shutdown()


@each_reader
def test_rtsp_goes_over_tcp(reader):
    """UDP loses packets. The server refuses it all once it knows how the stream is wanted."""
    description = b'v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track\r\n'
    wanted = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while request := self.rfile.readline():
                lines = iter(self.rfile.readline, b'\r\n')
                headers = dict(line.decode().strip().split(': ', 1) for line in lines)
                wanted.extend(value for key, value in headers.items() if key == 'Transport')
                refused = request.startswith(b'SETUP')
                body = description if request.startswith(b'DESCRIBE') else b''
                status = '404 Not Found' if refused else '200 OK'
                answer = (
                    f'RTSP/1.0 {status}\r\nCSeq: {headers["CSeq"]}\r\n'
                    f'Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n'
                )
                self.wfile.write(answer.encode() + body)

    with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f'rtsp://127.0.0.1:{server.server_address[1]}/live'
        assert not READERS[reader](address, 10).isOpened()
        server.shutdown()
    assert wanted and all(transport.startswith('RTP/AVP/TCP') for transport in wanted)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ('make', 'told'),
    [
        (lambda path: None, 'must be a file, a folder .* got .*, which is not there'),
        (lambda path: path.mkdir(), 'must hold images .* got none'),
        (lambda path: path.write_text('text'), 'must be a video that can be read'),
    ],
)
def test_what_is_no_source_is_refused(make, told, tmp_path):
    make(tmp_path / 'source')
    with pytest.raises(ValueError, match=f'predict_stream: .*{told}'):
        open_source(str(tmp_path / 'source'))


@each_reader
def test_a_file_that_breaks_off_is_told(tiny_video, tmp_path, reader):
    """Cut in its middle, with the header at its front."""
    whole = tmp_path / 'whole.avi'
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*'MJPG'), 25, (64, 48))
    for frame in frames_of(tiny_video):
        writer.write(frame)
    writer.release()
    content = whole.read_bytes()
    (tmp_path / 'cut.avi').write_bytes(content[: len(content) // 2])
    found = []
    with pytest.raises(ValueError, match=r'cut.avi must have the 60 frames of its header, got \d'):
        found.extend(open_source(str(tmp_path / 'cut.avi'), reader=reader).frames())


class Camera:
    """Gives its frames, then breaks off, or stalls."""

    reported = 0.0

    def __init__(self, frames, stalls=False, opened=True):
        self.frames, self.stalls, self.opened, self.released = iter(frames), stalls, opened, False

    def isOpened(self):
        return self.opened

    def get(self, _):
        """What many cameras report: neither a rate nor a number of frames."""
        return self.reported

    def read(self):
        for number in self.frames:
            return True, np.full((4, 6, 3), number, np.uint8)
        if self.stalls:
            threading.Event().wait(0.5)
        return False, None

    def release(self):
        self.released = True


@pytest.mark.parametrize('reported', [0.0, 1000.0])
def test_a_rate_that_is_not_reported_must_be_given(reported, monkeypatch):
    """Of a camera, which is live whatever else it reports, and read by OpenCV."""
    monkeypatch.setattr(Camera, 'reported', reported)
    monkeypatch.setitem(READERS, 'opencv', lambda source, _: Camera([1, 2]))
    monkeypatch.setitem(READERS, 'pyav', None)
    for reader in ('auto', 'pyav'):
        with pytest.raises(ValueError, match=f'0 must report its frame rate, got {reported}; set'):
            open_source('0', reader=reader)
        source = open_source('0', fps=12, reader=reader)
        assert (source.fps, source.total) == (12, None)


def test_a_file_may_have_the_name_of_a_camera_and_another_rate(tiny_video, tmp_path, monkeypatch):
    shutil.copy(tiny_video, tmp_path / '7')
    monkeypatch.chdir(tmp_path)
    for reader in READERS:
        source = open_source('7', fps=10, reader=reader)
        assert (source.fps, source.total, len(list(source.frames()))) == (10, 60, 60)


@pytest.fixture
def no_pauses(monkeypatch):
    """A clock that pauses between attempts alone move."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    clock = types.SimpleNamespace(sleep=sleep, monotonic=lambda: now[0])
    monkeypatch.setattr(frame_source, 'time', clock)


@pytest.mark.parametrize('stalls', [False, True])
def test_a_live_stream_that_fails_is_opened_again_behind_a_gap(stalls, no_pauses, capsys):
    cameras = [Camera([1, 2], stalls), Camera([], opened=False), Camera([3])]
    cameras += [Camera([], opened=False)] * 3
    coming = iter(cameras)
    live = LiveFrames('rtsp://camera', lambda: next(coming), patience=0.2, attempts=3)
    found = []
    with pytest.raises(ValueError, match=r'rtsp://camera broke off and must .* got 3 failures'):
        found.extend(live)
    assert [f.max() if isinstance(f, np.ndarray) else 'gap' for f in found] == [1, 2, 'gap', 3]
    assert found[2] == Gap(1.0)  # from the first failure to the second attempt
    first = capsys.readouterr().err.splitlines()[0]
    reason = 'gave no frame for 0.2 s' if stalls else 'broke off'
    assert first == f'predict_stream: rtsp://camera {reason}; opening it again'


def test_a_live_stream_is_late_while_frames_wait():
    live = LiveFrames('0', lambda: Camera(range(5)), attempts=0)
    frames = iter(live)
    next(frames)
    deadline = time.monotonic() + 20
    while not live.late() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert live.late()
    for _ in range(4):
        next(frames)
    with pytest.raises(ValueError, match='0 broke off'):
        next(frames)
    assert not live.late()


def test_a_stream_that_is_left_is_released():
    camera = Camera(iter(int, 1))  # without end
    frames = iter(LiveFrames('0', lambda: camera))
    next(frames)
    frames.close()
    deadline = time.monotonic() + 20
    while not camera.released and time.monotonic() < deadline:
        time.sleep(0.01)
    assert camera.released
