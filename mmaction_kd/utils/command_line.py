"""What the command lines of the tools have in common."""

from __future__ import annotations

import argparse

from mmengine.config import DictAction


def add_cfg_options(
    parser: argparse._ActionsContainer,
    text: str = 'settings that override the config, as a.b=1 c.d="[1,2]"',
) -> None:
    """Add ``--cfg-options`` to a parser, as MMAction2's tools have it.

    Args:
        parser: or a group of one.
        text: its help.
    """
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help=text)
