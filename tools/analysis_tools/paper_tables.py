"""Write the tables of the papers into the READMEs of configs/, from the paper.yml beside each.

Usage: python tools/analysis_tools/paper_tables.py [--check]

Tables are written into a README between the lines ``<!-- paper: Table 5 -->`` and
``<!-- end -->`` is replaced; ``<!-- paper: every row -->`` is the place of the settings that all
rows share.

A paper.yml has ``published``, the items (tables and figures) by name; ``settings``, what the paper
says of every row that is a run; and ``chosen``, what it leaves open and is set here. An item has

- ``title``, and ``columns``: the headings of its figures, by key;
- ``settings``, ``chosen``: as above, of its own rows; ``command``, where one gives all of it;
- ``rows``, by the paper's names (or plain ones where it has none). A row is one run: ``config``
  (a leaf, with ``options``) or ``study`` (an arm of the row's name, or ``arm``), or both, for an
  arm that is also a leaf. Its ``settings`` are checked in the config by tests/test_paper.py, its
  ``paper`` are the printed figures, strings with the paper's own digits, and ``counted`` those that
  were counted here.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

CONFIGS = Path(__file__).parents[2] / 'configs'
PLACE = re.compile(r'(<!-- paper: (.+?) -->\n).*?(<!-- end -->)', re.DOTALL)
SHARED = 'every row'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--check', action='store_true', help='write nothing, exit with 1 where a table differs'
    )
    return parser.parse_args()


def shared(content: Mapping) -> list[str]:
    """Notes on all rows of a file or of an item, a line each."""
    lines = []
    starts = dict(settings='The paper', chosen='Chosen here, as the paper does not state it')
    for key, start in starts.items():
        if content.get(key):
            values = ', '.join(f'{name} {shown(value)}' for name, value in content[key].items())
            lines.append(f'{start}: {values}.')
    if 'command' in content:
        lines.append(f'`{content["command"]}`')
    return lines


def table(name: str, item: Mapping) -> str:
    """Format an item of a paper.yml as Markdown."""
    rows = item['rows']
    varied = list(dict.fromkeys(key for row in rows.values() for key in row.get('settings', {})))
    headings = ['', *varied, *item['columns'].values()]
    runs = {row_name: run(row_name, row) for row_name, row in rows.items()}
    headings += ['run'] if any(runs.values()) else []
    lines = [f'{name}: {item["title"]}', *shared(item)]
    lines = ['  \n'.join(lines), '', _line(headings), _line('---' for _ in headings)]
    for row_name, row in rows.items():
        settings = [shown(row.get('settings', {}).get(key, '')) for key in varied]
        cells = [row_name, *settings, *figures(item, row), runs[row_name]]
        lines.append(_line(cells[: len(headings)]))
    return '\n'.join(lines) + '\n'


def figures(item: Mapping, row: Mapping) -> list[str]:
    """The printed figures of a row, and those counted here, marked so."""
    cells = []
    for key in item['columns']:
        parts = [row['paper'][key]] if key in row.get('paper', {}) else []
        parts += [f'counted {row["counted"][key]}'] if key in row.get('counted', {}) else []
        cells.append('; '.join(parts))
    return cells


def run(name: str, row: Mapping) -> str:
    """The leaf with its options, and the study with its arm."""
    parts = []
    if 'config' in row:
        options = ''.join(f' `{key}={shown(v)}`' for key, v in row.get('options', {}).items())
        parts.append(f'[`{Path(row["config"]).stem}`]({row["config"]}){options}')
    if 'study' in row:
        parts.append(f'[{Path(row["study"]).stem}]({row["study"]}) `{row.get("arm", name)}`')
    return ', '.join(parts)


def shown(value: object) -> str:
    """A setting as the tables of the papers have it."""
    if value is None or isinstance(value, bool):
        return {True: 'T', False: 'F', None: '-'}[value]
    return ', '.join(map(str, value)) if isinstance(value, list) else str(value)


def _line(cells: Iterable[str]) -> str:
    return f'| {" | ".join(cells)} |'


def filled(readme: str, content: Mapping) -> str:
    """Fill the tables of a README from its paper.yml.

    Raises:
        ValueError: an item has not one place in the README, or a place no item.
    """
    texts = {name: table(name, item) for name, item in content['published'].items()}
    if lines := shared(content):
        texts[SHARED] = '  \n'.join(lines) + '\n'
    places = [match[2] for match in PLACE.finditer(readme)]
    if sorted(places) != sorted(texts):
        raise ValueError(
            f'README: each item of paper.yml must have one place, got {sorted(places)} for '
            f'{sorted(texts)}; write the lines <!-- paper: ITEM --> and <!-- end -->.'
        )
    return PLACE.sub(lambda match: match[1] + texts[match[2]] + match[3], readme)


def main() -> None:
    args = parse_args()
    stale = []
    for path in sorted(CONFIGS.glob('*/paper.yml')):
        readme = path.with_name('README.md')
        old = readme.read_text(encoding='utf-8')
        new = filled(old, yaml.safe_load(path.read_text(encoding='utf-8')))
        if new != old:
            stale.append(str(readme))
            if not args.check:
                readme.write_text(new, encoding='utf-8')
    for name in stale:
        print(f'{name}: {"differs from paper.yml" if args.check else "written"}')
    if stale and args.check:
        sys.exit('paper_tables: run python tools/analysis_tools/paper_tables.py')


if __name__ == '__main__':
    main()
