"""What a reader marks and what a protocol asks for is one number, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from osteotrace import protocol
from osteotrace.phantoms.cases import image, phantom_case
from osteotrace.phantoms.dicom_series import write_ct_series
from osteotrace.phantoms.ground_truth import truth
from osteotrace.protocol import SIX_POINTS, TABLES, Entry, Where
from osteotrace.reading import measure
from osteotrace.segmentation import marked
from osteotrace.segmentation.labels import read_labels
from osteotrace.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osteotrace.findings import Finding
    from osteotrace.regions import Mask
    from osteotrace.volume import Volume

SAMPLES = Path(__file__).parents[1] / "sample_dicom"
BEFORE, AFTER = SAMPLES / "maxilla_before", SAMPLES / "maxilla_after"
# Of an entry, what does not say where to look.
SAID = ("kind", "site", "laterality", "note")
ASIDE = ("label", "modality", "frame_of_reference_uid", "series", "series_uid")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(reader="tester", drafts=tmp_path / "drafts")
    yield session
    session.close()


def opened(session: Session, folder: Path, modality: str = "CT") -> Volume:
    """Load the one series of a modality that can be measured."""
    (header,) = (
        volume
        for series in session.open(folder)
        for volume in series.volumes
        if series.identity.modality == modality and volume.grid is not None
    )
    return session.load(header)


def told(findings: tuple[Finding, ...]) -> dict[str, bytes]:
    """Return what findings say, to the last bit, by label; their UIDs aside."""
    return {
        one.label: msgspec.json.encode(msgspec.structs.replace(one, tracking_uid=""))
        for one in findings
    }


def followed(text: str, folder: Path) -> dict[str, bytes]:
    """Measure a folder by the text of a protocol, as ``osteotrace measure`` does."""
    checked = protocol.parse(text.encode(), Path("reading.toml"))
    return told(measure(folder, checked).findings)


def add(session: Session, volume: Volume, entry: Entry, masks: dict[str, Mask]) -> None:
    """Mark what an entry asks for, with the tool of its name."""
    (tool,) = (name for name, kind in TABLES.items() if type(entry) is kind)
    keys = {name: getattr(entry, name) for name in entry.__struct_fields__}
    said: dict[str, Any] = {name: keys.pop(name) for name in SAID}
    where = {key: value for key, value in keys.items() if key not in ASIDE}
    labels = {v.label for v in where.values() if isinstance(v, Where) and v.label}
    session.add(
        tool,
        volume,
        label=entry.label,
        masks={name: masks[name] for name in labels},
        **said,
        **where,
    )


def test_a_sample_protocol_marked_by_hand_gives_its_numbers_and_gives_them_again(
    session: Session,
) -> None:
    # Calipers, a palatal defect, sequestra, moth-eaten bone, gas, and a rim by its label.
    sample = SAMPLES / "protocols" / "maxilla_before.toml"
    volume = opened(session, BEFORE)
    (segmentation,) = (BEFORE / "CT-labels").iterdir()
    masks = {one.name: one.mask for one in read_labels(segmentation, like=volume)}
    for entry in protocol.read(sample).entries:
        add(session, volume, entry, masks)
    by_hand = told(session.findings)
    assert len(by_hand) > 8
    assert by_hand == told(measure(BEFORE, sample).findings)
    assert by_hand == followed(session.protocol_text(), BEFORE)


def test_seeds_balls_boxes_and_raw_points_give_the_same_numbers_again(
    session: Session,
) -> None:
    volume = opened(session, AFTER)
    start, end = (4.24, -43.61, 111.31), (3.44, -31.49, 114.03)
    middle = (3.84, -37.55, 112.67)
    # Neither point is one that 32 bits hold: it is stored first, and measured after.
    session.add("palatal_defect", volume, seed=middle, note='a "quoted"\nnote, Ä')
    session.add("caliper", volume, start=start, end=end, snap=False)
    session.add("soft_tissue_gap", volume, start=start, end=end, meaning="shortening")
    session.add("intensity", volume, region=Where(centre=middle, radius=3.3))
    corners = ((0.1, -40.3, 110.7), (6.9, -35.1, 115.3))
    session.add("intensity", volume, region=Where(corners=corners), site="hard_palate")
    by_hand = told(session.findings)
    assert len(by_hand) == 5
    assert followed(session.protocol_text(), AFTER) == by_hand


def test_what_was_moved_and_said_since_is_in_the_protocol(session: Session) -> None:
    volume = opened(session, AFTER)
    (first,) = session.add(
        "caliper", volume, start=(4.24, -43.61, 111.31), end=(3.44, -31.49, 114.03)
    )
    session.move(first.tracking_uid, end=(3.6, -31.6, 113.8))
    session.edit_finding(
        first.tracking_uid, label="PAL-9", kind="palatal_bony_defect", note="moved"
    )
    session.absent("sequestrum", "maxilla")
    text = session.protocol_text()
    assert "# ABS-1: sequestrum of maxilla, looked for and absent" in text
    (again,) = measure(AFTER, protocol.parse(text.encode(), Path("p"))).findings
    assert told((again,)) == told(session.findings[:1])


def test_drawn_masks_are_written_beside_the_protocol_that_names_them(
    session: Session, tmp_path: Path
) -> None:
    volume = opened(session, AFTER)
    near, far = (
        marked.ball(volume, centre, 3.0, role="drawn")
        for centre in ((3.84, -37.55, 112.67), (3.84, -30.0, 112.67))
    )
    session.add("intensity", volume, region=near)
    session.add("intensity", volume, region=far)
    session.add("moth_eaten", volume, region=far, reference=near)
    file, *masks = session.write_protocol(tmp_path / "protocol")
    assert all(mask.parent == file.parent / "masks" for mask in masks)
    again = measure(AFTER, file, masks=file.parent / "masks").findings
    assert [one.measurements for one in sorted(again, key=by_label)] == [
        one.measurements for one in sorted(session.findings, key=by_label)
    ]


def test_two_masks_of_one_name_stay_two(session: Session, tmp_path: Path) -> None:
    volume = opened(session, AFTER)
    for radius in (3.0, 4.0):
        drawn = marked.ball(volume, (3.84, -37.55, 112.67), radius, role="drawn")
        where = Where(label="lesion")
        session.add("intensity", volume, region=where, masks={"lesion": drawn})
    first, second = (one.measurements for one in session.findings)
    assert first != second
    file, *_ = session.write_protocol(tmp_path / "protocol")
    again = measure(AFTER, file, masks=file.parent / "masks").findings
    assert [one.measurements for one in again] == [first, second]


def by_label(finding: Finding) -> str:
    return finding.label


@pytest.fixture(scope="module")
def spine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CT of a sample spine."""
    case, folder = phantom_case("spine_2023-09-27"), tmp_path_factory.mktemp("spine")
    (scan,) = (one for one in case.scans if one.modality == "CT")
    write_ct_series(folder / "CT", image(case, scan), scan.grid, scan.label)
    return folder


def six_points(level: str) -> dict[str, tuple[float, float, float]]:
    points = truth("spine_2023-09-27").findings[level].rough_points_lps_mm
    return {key: points[key] for key in SIX_POINTS}


def test_vertebrae_tell_of_their_neighbours_whatever_was_marked_first(
    session: Session, spine: Path
) -> None:
    volume = opened(session, spine)
    for level, fractured in (("L2", True), ("T12", False), ("L1", True)):
        session.add(
            "vertebra",
            volume,
            level=level,
            points=six_points(level),
            fractured=fractured,
        )
    by_hand = told(session.findings)
    assert followed(session.protocol_text(), spine) == by_hand

    # A point moved, a level deleted: the others are measured anew with it, in one step.
    upper = six_points("T12")["superior_anterior"]
    (moved, *_) = session.move(
        session.findings[1].tracking_uid,
        points={"superior_anterior": (upper[0], upper[1] + 1.0, upper[2] - 1.5)},
    )
    assert moved.label == "VERT-T12"
    after_move = told(session.findings)
    assert {label for label in by_hand if by_hand[label] != after_move[label]} >= {
        "VERT-T12",
        "VERT-L1",
    }
    assert followed(session.protocol_text(), spine) == after_move
    session.delete_finding(moved.tracking_uid)
    after_delete = told(session.findings)
    assert set(after_delete) == {"VERT-L2", "VERT-L1"}
    assert followed(session.protocol_text(), spine) == after_delete
    assert session.undo() == "vertebra VERT-T12 deleted"
    assert told(session.findings) == after_move
    assert session.undo() == "vertebra VERT-T12 moved"
    assert told(session.findings) == by_hand
