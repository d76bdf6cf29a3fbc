"""The parts of 00_Overview.md that are made from the folders: the table of levels, the graph of prerequisites, the data sets.

Each stands between a pair of marks, <!-- levels --> and <!-- /levels -->, that GitHub does not show.
"""

from pathlib import Path

from dlfs.exercises import FOLDERS
from dlfs.results import reached
from dlfs.studies import ROOT, Study, all_studies
from utils import data_catalogue as catalogue
from utils.errors import DLFSError

OVERVIEW = ROOT / "00_Overview.md"
COLUMNS = {"by-hand": "L1 by hand", "engine": "L1 engine", "lowlevel": "L2", "paper": "L3"}
NO_BREAK = "&nbsp;"
TIER_COLOURS = ("#dbe9f6", "#e5f5e0", "#fff2cc", "#f8dfe3")  # light enough for black text, and apart in grey


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def levels_table(studies: list[Study]) -> str:
    """Which levels of each model are written, and what its recorded runs reached on the test set."""
    head = ["", "model", *COLUMNS.values(), "L4", "exercises", "recorded, on test data"]
    text = row(*head) + row(*["---"] * len(head))
    for study in studies:
        marks = ["✓" if level in study.levels else "" for level in COLUMNS]
        guide = f"[✓]({study.folder.name}/analysis/README.md)" if (study.folder / "analysis/README.md").exists() else ""
        tasks = [task for place in FOLDERS for task in (study.folder / place).glob("[0-9][0-9]_*.md")]
        page = "README.md" if (study.folder / "README.md").exists() else "study.py"
        model = f"[{study.fact('NAME')}]({study.folder.name}/{page})"
        exercises = str(len(tasks)) if tasks else ""
        best = "<br>".join(line.replace(" %", NO_BREAK + "%") for line in reached(study))
        text += row(study.number, model, *marks, guide, exercises, best)
    return text


def graph(studies: list[Study]) -> str:
    """What to know before what, in Mermaid's language, which GitHub draws: study.py's PREREQUISITES, a colour for each tier."""
    lines = ["```mermaid", "graph LR"]
    for study in studies:
        lines.append(f'  m{study.number}["{study.number} {study.fact("NAME")}"]:::tier{study.fact("TIER")}')
    for study in studies:
        lines += [f"  m{before} --> m{study.number}" for before in study.fact("PREREQUISITES")]
    for tier, colour in enumerate(TIER_COLOURS, start=1):
        lines.append(f"  classDef tier{tier} fill:{colour},stroke:#333333,color:#000000")
    return "\n".join([*lines, "```", ""])


def data_table() -> str:
    """The data sets, and what is to be known of each before it is fetched."""
    head = ["name", "what it is", "download", "from whom: the licence, as they state it", "checked by"]
    text = row(*head) + row(*["---"] * len(head))
    for name in catalogue.names():
        facts = catalogue.facts(name)
        origin = f"[{facts.origin}]({facts.page})" if facts.page else facts.origin
        cells = (f"`{name}`", catalogue.what(name), facts.size, f"{origin}: {facts.licence}", facts.check)
        text += row(*(cell.replace("|", "\\|") for cell in cells))
    return text


def renewed(path: Path = OVERVIEW) -> tuple[str, str]:
    """The overview's text as it is, and as it is with every part made anew."""
    studies = all_studies()
    text = new = path.read_text(encoding="utf-8")
    for name, part in {"levels": levels_table(studies), "graph": graph(studies), "data": data_table()}.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        try:
            before, rest = new.split(begin)
            _, after = rest.split(end)
        except ValueError:
            raise DLFSError(f"{path} needs the lines {begin.strip()} and {end.strip()} once each") from None
        new = before + begin + part + end + after
    return text, new
