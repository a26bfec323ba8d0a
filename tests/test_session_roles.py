"""The role of a study: by date, as the reader says, kept outside the DICOM folder."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest

from osteotrace.errors import OsteotraceError
from osteotrace.series import Series, SeriesIdentity
from osteotrace.session import roles
from osteotrace.session.roles import ROLES, StudyRoles, by_date

if TYPE_CHECKING:
    from pathlib import Path


def series(study: str, date: str, patient: str = "A", issuer: str = "") -> Series:
    return Series(
        identity=SeriesIdentity(
            study_uid=study,
            series_uid=f"{study}.1",
            modality="CT",
            description="",
            date=date,
            patient=f"P-{patient}",
            patient_id=patient,
            issuer=issuer,
        ),
        volumes=(),
    )


BEFORE, AFTER = series("2.25.1", "2025-03-01"), series("2.25.2", "2025-09-01")
LATER, LAST = series("2.25.3", "2026-01-01"), series("2.25.4", "2026-06-01")


# By date


def test_dates_of_one_patient_give_before_after_and_follow_ups() -> None:
    assert by_date([LATER, AFTER, LAST, BEFORE]) == {
        "2.25.1": "before",
        "2.25.2": "after",
        "2.25.3": "follow-up",
        "2.25.4": "follow-up",
    }


def test_each_patient_has_an_order_of_their_own() -> None:
    other = series("2.25.9", "2024-01-01", patient="B")
    same_number_elsewhere = series("2.25.10", "2024-02-01", issuer="another hospital")
    assert by_date([BEFORE, AFTER, other, same_number_elsewhere]) == {
        "2.25.1": "before",
        "2.25.2": "after",
        "2.25.9": "",
        "2.25.10": "",
    }


def test_studies_of_one_day_share_their_role() -> None:
    mr = series("2.25.11", "2025-03-01")
    found = by_date([BEFORE, mr, AFTER])
    assert found["2.25.1"] == found["2.25.11"] == "before"
    assert found["2.25.2"] == "after"


def test_one_date_says_nothing_and_neither_does_none() -> None:
    undated = series("2.25.12", "")
    assert by_date([BEFORE]) == {"2.25.1": ""}
    assert by_date([undated, BEFORE, AFTER])["2.25.12"] == ""


# As the reader says


def test_what_a_reader_sets_holds_in_every_session(tmp_path: Path) -> None:
    StudyRoles(tmp_path).set("2.25.2", "before")
    assert StudyRoles(tmp_path).of([BEFORE, AFTER]) == {
        "2.25.1": "before",
        "2.25.2": "before",
    }
    StudyRoles(tmp_path).set("2.25.2", "")
    assert StudyRoles(tmp_path).of([BEFORE, AFTER])["2.25.2"] == ""


@pytest.mark.parametrize("role", ROLES)
def test_every_role_comes_back(tmp_path: Path, role: roles.Role) -> None:
    kept = StudyRoles(tmp_path)
    kept.set("2.25.1", role)
    assert kept.stated("2.25.1", "after") == role


def test_no_other_role_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OsteotraceError, match="the role 'middle'"):
        StudyRoles(tmp_path).set("2.25.1", "middle")  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def test_roles_lie_in_the_users_state_folder_and_name_no_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    StudyRoles().set("1.2.840.99.17", "after")
    folder = tmp_path / "state" / "osteotrace" / "roles"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "1.2.840" not in file.name + file.read_text()


# When things go wrong


@pytest.mark.parametrize("damage", [b"", b"{", b'{"role": "middle"}', b"\xff\xfe"])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage: bytes) -> None:
    kept = StudyRoles(tmp_path)
    kept.set("2.25.1", "follow-up")
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert kept.of([BEFORE, AFTER])["2.25.1"] == "before"


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = StudyRoles(tmp_path)
    kept.set("2.25.1", "after")

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(roles, "flush", full)
    with pytest.raises(OsteotraceError, match="No space left on device") as refused:
        kept.set("2.25.1", "before")
    assert refused.value.where == str(tmp_path)
    assert kept.stated("2.25.1") == "after"
    assert len(os.listdir(tmp_path)) == 1


def test_what_is_written_is_one_small_record(tmp_path: Path) -> None:
    StudyRoles(tmp_path).set("2.25.1", "after")
    (file,) = tmp_path.iterdir()
    assert msgspec.json.decode(file.read_bytes()) == {"role": "after"}
