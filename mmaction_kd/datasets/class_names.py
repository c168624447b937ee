"""Class names from a file."""

from __future__ import annotations

from pathlib import Path


def read_classes(path: str | Path, owner: str) -> tuple[str, ...]:
    """Read class names, one per line, in the order of the labels.

    Args:
        path: of the file.
        owner: component that the user configures, for errors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not UTF-8 text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{owner}: classes must be a file with one name a line, got {path}, which is not there.'
        )
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{owner}: classes must be a file of text in UTF-8, got {path}: {error}.'
        ) from error
    return tuple(text.removesuffix('\n').split('\n')) if text else ()
