"""Stands in for setuptools' ``pkg_resources``: only what MMEngine calls, by importlib.metadata."""

from __future__ import annotations

from importlib import metadata
from typing import Any


class DistributionNotFound(Exception):
    """No distribution of that name is installed."""


class _Distribution:
    def __init__(self, distribution: metadata.Distribution) -> None:
        self._distribution = distribution
        self.version = distribution.version
        self.location = str(distribution.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._distribution.read_text(name) or ''


def get_distribution(name: str) -> _Distribution:
    """The installed distribution of that name.

    Raises:
        DistributionNotFound: it is not installed.
    """
    try:
        return _Distribution(metadata.distribution(name))
    except metadata.PackageNotFoundError as error:
        raise DistributionNotFound(name) from error


def __getattr__(name: str) -> Any:
    raise AttributeError(
        f'pkg_resources: this stand-in of mmaction_kd only has what MMEngine calls, '
        f'got {name!r}; install "setuptools<82" for the rest.'
    )
