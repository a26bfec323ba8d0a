"""The folder that a measured tree leaves: records, pictures and one table, all at once.

It appears when everything in it is written, or not at all::

    OUT/README.txt                   what is what, and the research-use statement
    OUT/measurements.csv             one row a measurement; failed studies as rows
    OUT/<patient>_<date>_<study>/    assessment.json, the DICOM SR (or why there is
                                     none), the DICOM SEG of its masks, a picture a
                                     finding
"""

from __future__ import annotations

import hashlib
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from osteotrace.about import RESEARCH_USE_STATEMENT, SOFTWARE_NAME, VERSION
from osteotrace.errors import OsteotraceError
from osteotrace.findings import marked_volume
from osteotrace.measurements.caliper import AS_DRAWN
from osteotrace.records import store
from osteotrace.records.sealed_json import sealed
from osteotrace.reports import figures, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from osteotrace.findings import Assessment
    from osteotrace.reports.tables import Row
    from osteotrace.series import Catalogue
    from osteotrace.volume import Volume

TABLE: Final = "measurements.csv"
README: Final = "README.txt"
RECORD: Final = "assessment.json"
NO_SR: Final = "no_structured_report.txt"

_README: Final = f"""\
Written by {SOFTWARE_NAME} {VERSION}.

measurements.csv   one row a measurement. u is the standard uncertainty, in the unit of
                   the value; interval95 its 95 % interval; points are patient LPS, mm.
                   status: accepted, flagged (see flags), not_measured or failed (see
                   reason). Patients are pseudonyms.
assessment.json    the findings of one study, lossless, below the key "assessment", with
                   a SHA-256 over them: an edited file is not read again.
*.dcm              the same as DICOM SR (Comprehensive 3D), with the masks of the
                   findings as DICOM SEG beside it: keep them together. They belong to
                   the patient's study and carry the patient's identity: do not share
                   them.
{NO_SR}
                   instead of it where the images do not say what an SR must; it says
                   what that is.
caliper_*.png      the plane of each caliper; dashed circles are the points as drawn,
                   the barred line the fitted edges.
lesion_*.png       three planes through every other finding, with what was marked and
                   fitted.

{RESEARCH_USE_STATEMENT}
"""


@dataclass(slots=True)
class Results:
    """A result folder that is being filled.

    Parameters
    ----------
    place : Path
        Where the folder will be.
    draft : Path
        Where it is until then.
    """

    place: Path
    draft: Path
    _rows: list[Row] = field(default_factory=list)

    def add(
        self, assessment: Assessment, volumes: Iterable[Volume], images: Catalogue
    ) -> list[Path]:
        """Write a study's record, SR and pictures; return where they will lie.

        Raises
        ------
        OsteotraceError
            If one of them cannot be made; the study then leaves nothing.
        """
        name = study_folder(assessment)
        folder = self.draft / name
        folder.mkdir()
        try:
            written = _study(assessment, tuple(volumes), images, folder)
        except OsteotraceError:
            shutil.rmtree(folder)
            raise
        self._rows.extend(tables.rows(assessment))
        return [self.place / name / path.name for path in written]

    def fail(self, study_uid: str, patient: str, error: OsteotraceError) -> None:
        """Note a study that could not be measured."""
        self._rows.append(tables.failure_row(study_uid, patient, error))

    def _finish(self) -> None:
        table = tables.to_csv(self._rows)
        (self.draft / TABLE).write_text(table, encoding="utf-8", newline="")
        (self.draft / README).write_text(_README, encoding="utf-8")


@contextmanager
def result_folder(place: Path) -> Iterator[Results]:
    """Give a result folder to fill; it appears when the block ends well.

    Raises
    ------
    OsteotraceError
        If the place is taken or cannot be written to.
    """
    with store.new_folder(place) as draft:
        results = Results(place, draft)
        yield results
        results._finish()


def study_folder(assessment: Assessment) -> str:
    """Return a folder name for a study, without its UIDs or the patient's identity."""
    digest = hashlib.sha256(assessment.study_uid.encode()).hexdigest()[:8]
    date = assessment.study_date or "undated"
    return _file_name(f"{assessment.patient}_{date}_{digest}")


def _study(
    assessment: Assessment,
    volumes: tuple[Volume, ...],
    images: Catalogue,
    folder: Path,
) -> list[Path]:
    from osteotrace.records import sr
    from osteotrace.records.report_content.date_times import moment
    from osteotrace.records.report_content.source_images import lack

    record = folder / RECORD
    record.write_bytes(sealed(assessment))
    now = moment(assessment.recorded)
    lacking = lack(assessment)
    if lacking is None:
        structured = sr.write(assessment, images, folder, now=now)
        masks = sorted(file for file in folder.glob("*.dcm") if file != structured)
    else:
        structured, masks = folder / NO_SR, []
        structured.write_text(f"{lacking}\n", encoding="utf-8")
    return [record, structured, *masks, *_pictures(assessment, volumes, folder)]


def _pictures(
    assessment: Assessment, volumes: tuple[Volume, ...], folder: Path
) -> list[Path]:
    written = []
    for number, finding in enumerate(assessment.findings, start=1):
        volume = marked_volume(finding, volumes)
        if volume is None:
            continue
        calipers = any(region.role == AS_DRAWN for region in finding.regions)
        what = "caliper" if calipers else "lesion"
        draw = figures.caliper_picture if calipers else figures.lesion_picture
        file = folder / f"{what}_{number}_{_file_name(finding.label)}.png"
        file.write_bytes(draw(volume, finding))
        written.append(file)
    return written


def _file_name(words: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", words)
