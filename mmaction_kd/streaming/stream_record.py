"""Files of a stream: one line per window as it goes, segments and a picture at the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from mmaction.structures import ActionDataSample

from mmaction_kd.models.dominance import PATHWAYS
from mmaction_kd.streaming.annotated_video import AnnotatedVideo
from mmaction_kd.streaming.segments import Segment, SegmentMerger
from mmaction_kd.streaming.stream_recognizer import Gap, WindowAnswer
from mmaction_kd.streaming.timeline import Timeline
from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.utils.json_lines import append_line

TOP = 5
FILES = ('windows.jsonl', 'windows.csv', 'segments.csv', 'timeline.png', 'annotated.mp4')


class StreamRecord:
    """The files of one source, complete however it ends: used as a context.

    ``windows.jsonl`` and ``windows.csv`` have a line for each window as soon as it is answered.
    ``segments.csv``, ``timeline.png`` and, if wanted, ``annotated.mp4`` are there when the context
    ends, by Ctrl-C or an error, too.

    Args:
        folder: where to; files of an earlier run are replaced.
        name: of the source, for the picture.
        fps: frames a second.
        classes: their names; empty for numbers.
        merger: makes the segments.
        annotate: whether to write ``annotated.mp4``.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        fps: float,
        classes: Sequence[str],
        merger: SegmentMerger,
        annotate: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.classes = classes
        self.merger = merger
        for old in FILES:
            (folder / old).unlink(missing_ok=True)
        self._csv = (folder / 'windows.csv').open('w', encoding='utf-8', newline='')
        self._timeline = Timeline(name, fps)
        self._video = AnnotatedVideo(folder / 'annotated.mp4', fps) if annotate else None

    def __enter__(self) -> StreamRecord:
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._csv.close()
        segments = self.merger.finish()
        write_atomically(self.folder / 'segments.csv', self.segments_csv(segments))
        write_atomically(
            self.folder / 'timeline.png', self._timeline.png(segments, self.class_name)
        )
        if self._video is not None:
            self._video.finish()

    def watch(self, frames: Iterable[np.ndarray | Gap]) -> Iterator[np.ndarray | Gap]:
        """Pass the frames on, and keep what the picture and the video need of them.

        Args:
            frames: of the source.

        Yields:
            The same.
        """
        for frame in frames:
            self._timeline.add_frame(frame)
            if self._video is not None and not isinstance(frame, Gap):
                self._video.add_frame(frame)
            yield frame

    def add(self, answer: WindowAnswer) -> dict:
        """Write the answer of a window.

        Args:
            answer: of :func:`~mmaction_kd.streaming.recognize_stream`.

        Returns:
            The line of ``windows.jsonl``.

        Raises:
            ValueError: the classes have not as many names as the model has classes.
        """
        scores = answer.sample.pred_score.float().cpu().numpy()
        if self.classes and len(self.classes) != len(scores):
            raise ValueError(
                f'predict_stream: --classes must name the {len(scores)} classes of the model, got '
                f'{len(self.classes)} lines; one name a line, in the order of the labels.'
            )
        line = self._line(answer, scores)
        append_line(self.folder / 'windows.jsonl', line)
        self._write_csv(line)
        self.merger.add(answer.start, answer.end, scores.tolist())
        weight = line.get('local', {}).get('weight')
        self._timeline.add(answer.start, answer.end, scores, weight)
        if self._video is not None:
            best = line['top'][0]
            text = f'{best["class"]} {best["score"]:.2f}'
            self._video.add_answer((answer.start + answer.end) / 2, text)
        return line

    def class_name(self, label: int) -> str:
        """Return the name of a class, or its number where there are no names."""
        return self.classes[label] if self.classes else str(label)

    def segments_csv(self, segments: Sequence[Segment]) -> str:
        """Format the content of ``segments.csv``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        writer.writerow(('start', 'end', 'class', 'score'))
        for start, end, label, score in segments:
            row = (f'{start:.2f}', f'{end:.2f}', self.class_name(label), f'{score:.4f}')
            writer.writerow(row)
        return text.getvalue()

    def _top(self, scores: np.ndarray, count: int) -> list[dict]:
        best = np.argsort(-scores, kind='stable')[:count].tolist()
        return [{'class': self.class_name(i), 'score': round(float(scores[i]), 6)} for i in best]

    def _line(self, answer: WindowAnswer, scores: np.ndarray) -> dict:
        line: dict = dict(start=round(answer.start, 3), end=round(answer.end, 3))
        line['top'] = self._top(scores, TOP)
        for name in PATHWAYS:
            line.update(self._pathway(name, answer.sample))
        return line

    def _pathway(self, name: str, sample: ActionDataSample) -> dict:
        """Return scores, weight and dominance of a pathway; a gated one has only its weight, 0."""
        if f'{name}_weight' not in sample:
            return {}
        fields: dict = dict(weight=round(float(sample.get(f'{name}_weight')), 6))
        if f'{name}_score' in sample:
            fields['top'] = self._top(sample.get(f'{name}_score').float().cpu().numpy(), TOP)
            fields['dominance'] = round(float(sample.get(f'{name}_dominance')), 6)
        return {name: fields}

    def _write_csv(self, line: dict) -> None:
        row: dict = dict(start=line['start'], end=line['end'])
        for place, best in enumerate(line['top'], 1):
            row |= {f'class_{place}': best['class'], f'score_{place}': best['score']}
        for name in PATHWAYS:
            if name in line:
                best = line[name].get('top', [{}])[0]
                row |= {
                    f'{name}_class': best.get('class'),
                    f'{name}_score': best.get('score'),
                    f'{name}_weight': line[name]['weight'],
                }
        writer = csv.DictWriter(self._csv, list(row), lineterminator='\n')
        if not self._csv.tell():
            writer.writeheader()
        writer.writerow(row)
        self._csv.flush()
