"""Write the tables and figures of measured results into a README, from the committed results.

    python tools/readme_tables.py configs/*/README.md

Between `<!-- table N of studies/STUDY.py -->` and `<!-- end of table -->` stands the N-th table of
that study, of studies/STUDY_results.csv: its report/results.csv, with all runs. An image
studies/STUDY_figure_N.png is its N-th figure, of kind 'bars'.
"""

import argparse
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from mmaction_kd.report.figures.figure import png
from mmaction_kd.study.plan import Study
from mmaction_kd.study.report import bars, tables
from mmaction_kd.utils.atomic_file import write_atomically

TABLE = re.compile(
    r'(?P<head><!-- table (?P<number>\d+) of (?P<study>\S+)\.py -->\n).*?(?=<!-- end of table -->)',
    re.DOTALL,
)
FIGURE = re.compile(r'\]\((?P<study>\S+)_figure_(?P<number>\d+)\.png\)')


def filled(text: str, folder: Path) -> str:
    """A README with its tables as the results have them.

    Args:
        text: of the README.
        folder: where it lies.

    Returns:
        The text.

    Raises:
        ValueError: the study has no such table.
        FileNotFoundError: no study or no results of that name.
    """

    def table(match: re.Match) -> str:
        number = int(match['number'])
        study, results = measured(folder / match['study'])
        found = tables(study, results)
        if not 1 <= number <= len(found):
            raise ValueError(
                f'readme_tables: the number of a table of {study.path} must be in '
                f'1..{len(found)}, got {number}.'
            )
        return f'{match["head"]}\n{found[number - 1]}\n\n'

    return TABLE.sub(table, text)


def figures(text: str, folder: Path) -> dict[Path, Figure]:
    """Draw the figures of a README, by the path of each; raises what :func:`filled` does."""
    found = {}
    for match in FIGURE.finditer(text):
        path = folder / f'{match["study"]}_figure_{match["number"]}.png'
        found[path] = bars(*measured(folder / match['study']), int(match['number']))
    return found


def measured(path: Path) -> tuple[Study, pd.DataFrame]:
    """A study, by its path without .py, and its committed results."""
    results = pd.read_csv(f'{path}_results.csv', dtype=dict(fold=str), keep_default_na=False)
    return Study(f'{path}.py', Path('work_dirs')), results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('readme', type=Path, nargs='+')
    for path in parser.parse_args().readme:
        text = filled(path.read_text(), path.parent)
        for file, figure in figures(text, path.parent).items():
            write_atomically(file, png(figure))
        write_atomically(path, text)


if __name__ == '__main__':
    main()
