"""What the panel says: every verdict in words, every number as the library shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import msgspec
import numpy as np
import pytest

from osteotrace.change import Change
from osteotrace.codes import KINDS, QUANTITIES, SITES
from osteotrace.findings import Finding
from osteotrace.measurements.measurement import Measurement, Method, NotMeasured
from osteotrace.protocol.entries import TABLES
from osteotrace.series import SeriesIdentity
from osteotrace_napari import wording
from osteotrace_napari.canvas import windows
from osteotrace_napari.colours import PROGRESS_COLOURS, STATE_COLOURS

if TYPE_CHECKING:
    from osteotrace.measurements.measurement import Reading

METHOD = Method(name="test", version="1")


def length(
    value: float,
    uncertainty: float | None = 0.021,
    *,
    name: str = "distance",
    flags: tuple[str, ...] = (),
) -> Measurement:
    return Measurement(
        name=name,
        code=QUANTITIES[name],
        value=value,
        unit="mm",
        method=METHOD,
        sources=(),
        uncertainty=uncertainty,
        uncertainty_reason="" if uncertainty is not None else "points as drawn",
        flags=flags,
    )


REFUSED = NotMeasured(
    name="distance",
    code=QUANTITIES["distance"],
    reason="no wall at the first point",
    method=METHOD,
)
DRAWN = length(11.83, None, name="length_as_drawn")


def finding(*measurements: Reading, **said: Any) -> Finding:
    given = {"kind": "lesion", "site": "jaw", **said}
    return Finding(
        tracking_uid="2.25.1", label="CAL-1", measurements=measurements, **given
    )


@pytest.mark.parametrize(
    ("measurements", "state", "value"),
    [
        ((length(12.0712), DRAWN), "accepted", "12.07 ± 0.02 mm"),
        ((length(12.0712, flags=("rival edge",)), DRAWN), "flagged", "12.07 ± 0.02 mm"),
        ((REFUSED, DRAWN), "not measured", "not measured; as drawn 11.8 mm"),
        ((REFUSED,), "not measured", "not measured"),
    ],
)
def test_a_finding_has_a_state_and_a_value_in_words(
    measurements: tuple[Reading, ...], state: str, value: str
) -> None:
    assert wording.state(finding(*measurements)) == state
    assert wording.value(finding(*measurements)) == value


def test_what_is_stated_and_not_measured_says_whether_it_is_there() -> None:
    for presence, words in (
        ("absent", "absent"),
        ("unknown", "undetermined"),
        ("present", ""),
    ):
        stated = finding(presence=presence)
        assert wording.state(stated) == "stated"
        assert wording.value(stated) == words
        assert wording.quantity(stated) == ("looked for" if words == "absent" else "")


def test_a_value_is_said_as_the_library_says_it() -> None:
    spread = msgspec.structs.replace(length(20.0, None), interval95=(12.0, 31.0))
    for reading in (length(12.0712), length(12.0712, 0.31), length(11.83, None), spread):
        assert wording.value(finding(reading)) == reading.as_text
    assert wording.value(finding(spread)) == "12.0 to 31.0 mm"


def test_every_kind_and_site_is_said_in_few_words() -> None:
    for kind in KINDS:
        assert 0 < len(wording.kind(finding(kind=kind))) <= 30
    for site in SITES:
        assert 0 < len(wording.site_name(site)) <= 30
    assert wording.kind(finding(kind="moth_eaten")) == "Moth-eaten bone"
    assert wording.kind(finding(kind="sequestrum")) == KINDS["sequestrum"].meaning


@pytest.mark.parametrize(
    ("site", "side", "words"),
    [
        ("maxilla", "", "Maxilla"),
        ("maxilla", "right", "Right maxilla"),
        ("l1", "", "L1"),
        ("l1", "left", "Left L1"),
        ("hard_palate", "bilateral", "Bilateral hard palate"),
    ],
)
def test_a_place_names_its_side_first(site: str, side: str, words: str) -> None:
    assert wording.place(finding(site=site, laterality=side)) == words


def test_every_first_value_of_a_protocol_is_named_in_few_words() -> None:
    for entry in TABLES.values():
        first = length(1.0, name=entry.primary)
        assert 0 < len(wording.quantity(finding(first))) <= 20, entry.primary


@pytest.mark.parametrize(
    ("accepted", "saved", "words"),
    [
        (False, False, "draft"),
        (True, False, "accepted"),
        (True, True, "saved"),
    ],
)
def test_a_finding_comes_from_draft_to_accepted_to_saved(
    accepted: bool, saved: bool, words: str
) -> None:
    assert wording.progress(accepted=accepted, saved=saved) == words


def test_every_verdict_on_a_change_is_a_word_or_two() -> None:
    verdicts = get_args(get_type_hints(Change)["verdict"])
    assert set(wording.CHANGES) < set(verdicts)
    for verdict in verdicts:
        assert len(wording.change_word(verdict).split()) <= 2


def test_a_finding_in_full_says_how_sure_it_is_and_what_is_noted() -> None:
    said = wording.whole(
        finding(kind="moth_eaten", certainty="probable", note="seen on both planes")
    )
    assert said == (
        "CAL-1: Moth-eaten bone destruction, Jaw, probable\nseen on both planes"
    )
    assert wording.whole(finding()) == "CAL-1: Lesion, Jaw"


def test_every_state_has_a_colour() -> None:
    for state in (
        wording.ACCEPTED,
        wording.FLAGGED,
        wording.NOT_MEASURED,
        wording.STATED,
    ):
        assert state in STATE_COLOURS
    for progress in (wording.DRAFT, wording.TAKEN, wording.SAVED):
        assert progress in PROGRESS_COLOURS


def test_a_refusal_says_why_and_what_was_drawn() -> None:
    assert wording.sentence((REFUSED, DRAWN)) == (
        "not measured: no wall at the first point; as drawn 11.8 mm"
    )


def test_a_flag_and_a_missing_uncertainty_are_said() -> None:
    assert "check: rival edge" in wording.sentence((length(12.0, flags=("rival edge",)),))
    assert "no uncertainty: points as drawn" in wording.sentence((length(12.0, None),))


@pytest.mark.parametrize(
    ("modality", "description", "name"),
    [
        ("CT", "CT maxilla", "CT maxilla"),
        ("MR", "T2 sag", "MR T2 sag"),
        ("CT", "", "CT"),
    ],
)
def test_a_series_name_says_its_modality_once(
    modality: str, description: str, name: str
) -> None:
    identity = SeriesIdentity(
        study_uid="2.25.1",
        series_uid="2.25.2",
        modality=modality,
        description=description,
        date="",
        patient="P-X",
        patient_id="X",
    )
    assert wording.series_name(identity) == name


def test_ct_windows_are_those_that_readers_know() -> None:
    assert (windows.BONE.width, windows.BONE.level) == (2000, 500)
    assert (windows.SOFT_TISSUE.width, windows.SOFT_TISSUE.level) == (400, 40)
    assert windows.SOFT_TISSUE.limits == (-160, 240)


@pytest.mark.parametrize(
    ("description", "first"),
    [
        ("STIR", 1),
        ("t2_tse_sag", 1),
        ("Sag T2", 1),
        ("T2W_TSE", 1),
        ("TIRM cor", 1),
        ("PD FS", 1),
        ("pd_fs_tra", 1),
        ("PDFS", 1),
        ("PD SPAIR", 1),
        ("T2*", 1),
        ("spiral PD", 0),
        ("T1 tse", 0),
        ("T1 FS Gd", 0),
        ("PD", 0),
        ("offset", 0),
        ("", 0),
    ],
)
def test_a_fluid_sensitive_series_opens_in_the_window_for_it(
    description: str, first: int
) -> None:
    said = SeriesIdentity(
        study_uid="2.25.1",
        series_uid="2.25.2",
        modality="MR",
        description=description,
        date="",
        patient="P-X",
        patient_id="X",
    )
    offered = windows.presets("MR", np.arange(100, dtype=np.int16))
    names = ("MR T1", "MR fluid-sensitive")
    assert offered[windows.first_of(said)].name == names[first]
    # A window of CT is not chosen by such words.
    assert windows.first_of(msgspec.structs.replace(said, modality="CT")) == 0


def test_a_capture_of_eight_bits_is_shown_from_black_to_white() -> None:
    brightness = np.zeros((2, 3, 4), np.uint8)
    for modality in ("CT", "OT", "US"):
        (window,) = windows.presets(modality, brightness)
        assert window.limits == (0, 255)
    assert len(windows.presets("MR", brightness)) == 2
