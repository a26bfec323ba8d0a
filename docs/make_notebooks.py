"""Write the notebooks in docs/notebooks, one a user, without outputs.

Cells that take long carry the tag ``slow``; a test runs the others every time, and those
too where it is asked for long tests. Run it with ``python docs/make_notebooks.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER: Final = Path(__file__).resolve().parent / "notebooks"
SLOW: Final = "slow"

START: Final = """\
from pathlib import Path
from tempfile import mkdtemp

import osteotrace as ot

samples = Path("../../sample_dicom")
work = Path(mkdtemp())"""

VALUES: Final = """\
columns = ["label", "quantity", "value", "u", "unit", "interval95_low"]"""

# Text, or code after ">", or code that takes long after ">>".
RADIOLOGIST: Final = (
    """\
# Radiologist: the numbers of a saved reading

Ctrl+S in the viewer saves a reading as DICOM SR, and `osteotrace measure` saves the same
as JSON. This notebook reads one back: every number with its uncertainty, the paragraph
for the report, and the stages that follow from it.

**Research use only. Not a medical device.**""",
    f">{START}",
    """\
## A reading

Here two calipers are set by [a protocol](../protocols.md), so that there is a reading to
open. With one of your own, begin at `ot.read`.""",
    """>\
made = ot.measure(samples / "maxilla_after", "sample_maxilla", reader="Reader One")
file = ot.save(made, work / "reading.json")""",
    """>\
reading = ot.read(file)
reading""",
    """\
## One finding, one number

“±” is the standard uncertainty u. The interval is the 95 % one. What speaks against a
value stands under *check*.""",
    """>\
gap = reading["PAL-1"]
gap""",
    """>\
value = gap["palatal_gap_ap"]
print(value.value, value.unit, "u =", value.uncertainty, value.interval95)
value""",
    "## The paragraph for the report",
    ">print(ot.paragraph(reading))",
    """\
## As a table

Numbers keep every digit; nothing is rounded before it is shown.""",
    f""">{VALUES}
reading.frame()[columns]""",
    """\
## The stages

What nobody has stated is unknown, and a stage is the interval over all that is unknown.
The question to ask first is the one that would narrow it most. No stage advises
treatment.""",
    """>\
stages = ot.stage(reading, facts=samples / "facts" / "maxilla_after.toml")
ot.frame(stages)[["system", "lowest", "highest", "ask"]]""",
    ">stages[0]",
    """\
## As DICOM

The SR and JSON of a reading are equal. The images have to be there: a record names
them.""",
    """>>\
study = ot.scan(samples / "maxilla_after")
report = ot.save(reading, work / "dicom", images=study)
ot.read(report).findings == reading.findings""",
)

RESEARCHER: Final = (
    """\
# Researcher: a folder of studies measured

A tree of DICOM folders, a protocol, one call. A study that fails is a row with its
reason, and a run that was stopped goes on where it was. The same call takes a cluster
([batch](../batch.md)).

**Research use only. Not a medical device.**""",
    f">{START}",
    """\
## What is there

`scan` reads headers alone and says of each volume whether its slices can be measured as
they are.""",
    """>\
catalogue = ot.scan(samples)
catalogue""",
    """>\
catalogue.frame()[["patient", "date", "modality", "n_slices", "slice_mm", "verdicts"]]""",
    """\
## What is measured

A protocol is a TOML file that is checked when it is read. Its SHA-256 goes into every
row.""",
    """>\
print(ot.protocol_names())
protocol = ot.read_protocol("sample_maxilla")
protocol""",
    """\
## The run

This protocol has the points of one scan. The other study has another frame of reference,
is refused, and stops nothing. `workers=8` would measure eight studies at once.""",
    """>\
run = ot.measure_tree(catalogue, protocol, work / "results")
run""",
    """>\
[(study.patient, study.date, study.error.advice) for study in run.failures()]""",
    """\
## The table

One row a measurement. `data_dictionary.csv` beside it says what each column is. `primary`
is the value that a finding stands for.""",
    """>\
table = run.frame()
columns = ["study_date", "label", "quantity", "value", "u", "unit", "status"]
table.query("primary == True")[columns]""",
    """>\
measured = table.query("status in ('accepted', 'flagged')")
values = measured.groupby(["kind", "quantity", "unit"])["value"]
values.agg(["count", "mean", "std", "min", "max"])""",
    """\
## Stopped, and gone on

What is done is on disk. With `resume` nothing is measured twice; another protocol or
other options are refused.""",
    """>>\
again = ot.measure_tree(catalogue, protocol, work / "results", resume=True)
again.frame().equals(table)""",
    """\
## Every lesion of one case

Sequestra, moth-eaten bone, gas, a sclerotic rim and the palatal defect take half a
minute.""",
    """>>\
before = ot.measure_tree(
    samples / "maxilla_before",
    samples / "protocols" / "maxilla_before.toml",
    work / "before",
)
before""",
    """>>\
reading = next(before.assessments())
reading.findings[3]""",
    """>>\
volume = ot.load(samples / "maxilla_before" / "CT")
volume""",
)

REVIEWER: Final = (
    """\
# Reviewer: before and after

Two studies of one patient: what became of each lesion, and whether a change is more than
reading it twice would give ([how](../comparing.md)).

**Research use only. Not a medical device.**""",
    f">{START}",
    """\
## Two studies, one gap

Each study is measured by a protocol of its own, since the points lie in different frames
of reference. A study with a saved reading needs none. Here the studies are not laid over
each other: the gap is followed by its kind and site, and that is said.""",
    """>\
studies = samples / "maxilla_before", samples / "maxilla_after"
found = ot.compare(
    *studies,
    protocols=["gap_before.toml", "gap_after.toml"],
    reader="Reader Two",
    register=False,
)
found""",
    """\
## The change

Both values carry their own uncertainty. The limit is what reading a gap twice gives:
below it the words are “within measurement error”.""",
    """>\
lesion = found.comparison["PAL-1"]
change = lesion.steps[0].changes[0].change
print(lesion.state, "·", change.verdict, "·", change.limit, change.unit)
lesion""",
    """>\
columns = ["label", "quantity", "earlier_value", "later_value", "delta", "limit"]
found.frame()[[*columns, "verdict"]]""",
    """\
## What stands behind a number

The finding of each date is there, with its method and its images.""",
    ">lesion.seen[0].findings[0]",
    """\
## The page and the tables

The page needs no network and holds its pictures; printed, it is the PDF.""",
    """>\
csv, parquet = found.write_tables(work / "tables")
print(csv.name, parquet.name)""",
    """>>\
page = found.write_page(work / "comparison.html")
page.stat().st_size > 100_000""",
    """\
## All lesions, laid over each other

The whole protocols of both studies and the facts of the patient: the heads are
registered, with the error of the registration, lesions are matched by place, and both
dates are staged. This takes a minute.""",
    """>>\
whole = ot.compare(
    *studies,
    protocols=[samples / "protocols" / f"{study.name}.toml" for study in studies],
    facts=samples / "facts" / "maxilla_before.toml",
    reader="Reader Two",
)
whole""",
)

NOTEBOOKS: Final = {
    "radiologist": RADIOLOGIST,
    "researcher": RESEARCHER,
    "reviewer": REVIEWER,
}


def notebook(name: str) -> nbformat.NotebookNode:
    """Return a notebook of texts and code, always the same."""
    made = new_notebook(
        metadata={
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    for number, source in enumerate(NOTEBOOKS[name], 1):
        code = source.lstrip(">")
        is_text = code == source
        cell = new_markdown_cell(source) if is_text else new_code_cell(code)
        if source.startswith(">>"):
            cell.metadata["tags"] = [SLOW]
        cell["id"] = f"{name}-{number:02d}"
        made.cells.append(cell)
    return made


def text(name: str) -> str:
    """Return the file of a notebook."""
    return f"{nbformat.writes(notebook(name))}\n"


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name in NOTEBOOKS:
        file = FOLDER / f"{name}.ipynb"
        file.write_text(text(name), encoding="utf-8")
        print(file.relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    main()
