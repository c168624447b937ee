"""Content and origin of a store of teachers' logits: its ``store.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset

from mmaction_kd.stored_teachers.fingerprint import (
    annotation_digest,
    canonical_json,
    digest,
    library_versions,
)
from mmaction_kd.utils.atomic_file import write_atomically

FORMAT = 2
FILE = 'store.json'
TOOL = 'tools/store_teachers.py'


@dataclass(frozen=True)
class TeacherIdentity:
    """What identifies a teacher.

    Attributes:
        weights: SHA-256 of its weights, as TeacherHashHook writes it.
        config: SHA-256 of its config with its data preprocessor: its normalisation is no weight.
        classes: of its outputs, class indices among the K.
    """

    weights: str
    config: str
    classes: tuple[int, ...]


@dataclass(frozen=True)
class StoreHeader:
    """All of a store but its logits.

    Attributes:
        num_classes: K.
        views: V, of each video.
        seed: of the views.
        pipeline: the train pipeline's config.
        annotation: see :func:`~mmaction_kd.stored_teachers.fingerprint.annotation_digest`.
        videos: N.
        teachers: by name.
        shards: of each shard its first video, and N.
        batch_size: views of a teacher's batch; another one changes float noise.
        versions: of what decoded the videos.
        checksums: CRC-32 of the rows of each shard; empty until all shards are there.
        unusable: key of each video of which a view could not be made, and why.
    """

    num_classes: int
    views: int
    seed: int
    pipeline: list
    annotation: str
    videos: int
    teachers: Mapping[str, TeacherIdentity]
    shards: tuple[int, ...]
    batch_size: int
    versions: Mapping[str, str] = field(default_factory=library_versions)
    checksums: tuple[int, ...] = ()
    unusable: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides what the rows hold, in hex."""
        return digest(canonical_json([FORMAT, self._decisive()], 'a store'))

    @property
    def complete(self) -> bool:
        """Whether all shards are there."""
        return bool(self.checksums)

    @property
    def shard_range(self) -> range:
        """The numbers of the shards."""
        return range(len(self.shards) - 1)

    def _decisive(self) -> dict[str, Any]:
        """What decides the rows, by its name in an error."""
        parts: dict[str, Any] = {
            'the number of classes': self.num_classes,
            'the number of views': self.views,
            'the seed': self.seed,
            'the pipeline': self.pipeline,
            'the annotation': [self.annotation, self.videos],
            'the names of the teachers': sorted(self.teachers),
        }
        for name, teacher in sorted(self.teachers.items()):
            parts[f"the weights of teacher '{name}'"] = teacher.weights
            parts[f"the config of teacher '{name}'"] = teacher.config
            parts[f"the classes of teacher '{name}'"] = list(teacher.classes)
        return parts

    def check(self, given: StoreHeader, owner: str, folder: str | Path, remedy: str) -> None:
        """Refuse a store that is of something else than what is given now.

        Args:
            given: the header that a store of it would have.
            owner: the component that the user configures.
            folder: of the store.
            remedy: what to do.

        Raises:
            ValueError: something that decides what the rows hold is not the same; it is named.
        """
        ours, theirs = self._decisive(), given._decisive()
        both = [name for name in ours if name in theirs]
        other = [n for n in both if canonical_json(ours[n], n) != canonical_json(theirs[n], n)]
        if other:
            raise ValueError(
                f'{owner}: what is given must be what the store {folder} was made of, got another '
                f'state of {", ".join(other)}; {remedy}.'
            )

    def save(self, folder: Path) -> None:
        """Write it as ``store.json``, atomically.

        Args:
            folder: of the store, which exists.
        """
        content = dict(format=FORMAT, **dataclasses.asdict(self))
        write_atomically(folder / FILE, json.dumps(content, indent=1) + '\n')


def load_header(folder: str | Path) -> StoreHeader:
    """Read a store's ``store.json``.

    Args:
        folder: of the store.

    Returns:
        The header.

    Raises:
        FileNotFoundError: there is no such store.
        ValueError: it is of another format.
    """
    path = Path(folder) / FILE
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'Stored teachers: there is no {path}; make the store with '
            f'`{TOOL} CONFIG --out {folder} --views V`.'
        ) from error
    except json.JSONDecodeError as error:
        raise ValueError(f'Stored teachers: {path} must be JSON, got: {error}.') from error
    found = content.pop('format', None) if isinstance(content, dict) else None
    if found != FORMAT:
        raise ValueError(
            f'Stored teachers: {path} must be of format {FORMAT}, got {found}; remove the folder '
            f'and make the store anew with {TOOL} of this version.'
        )
    teachers = {
        name: TeacherIdentity(**{**teacher, 'classes': tuple(teacher['classes'])})
        for name, teacher in content['teachers'].items()
    }
    bounds = {key: tuple(content[key]) for key in ('shards', 'checksums')}
    return StoreHeader(**{**content, **bounds, 'teachers': teachers})


def describe_dataset(dataset: BaseDataset, cfg: Mapping) -> dict[str, Any]:
    """Describe a data set for a store.

    Args:
        dataset: of MMEngine's kind.
        cfg: its config.

    Returns:
        ``pipeline``, ``annotation`` and ``videos`` of a :class:`StoreHeader`.
    """
    while 'dataset' in cfg:  # of an OpticalFlowSubset
        cfg = cfg['dataset']
    return dict(
        pipeline=json.loads(canonical_json(cfg.get('pipeline', []), 'the pipeline')),
        annotation=annotation_digest(dataset),
        videos=len(dataset),
    )
