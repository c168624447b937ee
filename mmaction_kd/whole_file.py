"""Files that are there whole or not at all, whenever the process is killed."""

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under another name, then give it its own.

    Args:
        path: where to; what is there is replaced.
        content: text (UTF-8) or bytes.
    """
    temporary = path.with_name(f'{path.name}.part')
    temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    os.replace(temporary, path)
