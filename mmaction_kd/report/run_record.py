"""The record of a run, for its page: one JSON object a line, kept through kills and resumes."""

from __future__ import annotations

import json
from pathlib import Path

from mmaction_kd.utils.atomic_file import write_atomically
from mmaction_kd.utils.json_lines import append_line, read_lines

RECORD_FILE = 'distill_record.jsonl'


class RunRecord:
    """The file of a run.

    A line has a ``kind``: 'run' (what the run is; the last one holds), 'train' (sums over the
    samples of an epoch), 'val' or 'test' (counts of predictions). 'train' and 'val' have ``iter``,
    the iterations done, and ``epoch``, the epochs done, where the loop has any.

    Args:
        folder: the run's work dir.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / RECORD_FILE

    def read(self) -> list[dict]:
        """Read all lines, without one that a kill cut short; of a repeated validation the last."""
        lines = [line for line in read_lines(self.path) if 'kind' in line]
        last = {line.get('iter'): line for line in lines if line['kind'] == 'val'}
        return [line for line in lines if line['kind'] != 'val' or last[line.get('iter')] is line]

    def append(self, line: dict) -> None:
        """Add a line, in one write that is on disk afterwards.

        Args:
            line: see the class.

        Raises:
            OSError: it can not be written.
        """
        append_line(self.path, line)

    def rewind(self, iteration: int, header: dict) -> None:
        """Drop what comes after an iteration, which a resumed training repeats.

        Args:
            iteration: the iterations that the training starts with; 0 drops everything.
            header: line of the kind 'run' to begin with.
        """
        kept = [
            line
            for line in self.read()
            if iteration and line['kind'] != 'run' and line.get('iter', 0) <= iteration
        ]
        lines = [json.dumps(line, separators=(',', ':')) for line in (header, *kept)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, '\n'.join(lines) + '\n')
