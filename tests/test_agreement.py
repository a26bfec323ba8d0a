"""Two readings of the same studies: published tables, pairs of lesions, the site's RC."""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.fixtures.two_readers import gap, reading

from osteotrace.change import change
from osteotrace.comparison.agreement import (
    agreement,
    read_repeatabilities,
    site_file,
)
from osteotrace.comparison.agreement_statistics import (
    IntraclassCorrelation,
    LimitsOfAgreement,
    WeightedKappa,
    intraclass_correlation,
    limits_of_agreement,
    weighted_kappa,
)
from osteotrace.errors import OsteotraceError
from osteotrace.findings import Assessment, StagingResult
from osteotrace.measurements.measurement import Measurement
from osteotrace.records import assessments as records

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fixtures.command_line import Outcome

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = (
    *((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8)),
    *((7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7)),
)
# Two dermatologists on 88 patients, four ordered classes: an example of SAS PROC FREQ.
SKIN = ((10, 4, 1, 0), (5, 10, 12, 2), (2, 4, 12, 5), (0, 2, 6, 13))
# Bland & Altman, Lancet 1986: peak flow by two meters, first readings, l/min.
WRIGHT = (
    494,
    395,
    516,
    434,
    476,
    557,
    413,
    442,
    650,
    433,
    417,
    656,
    267,
    478,
    178,
    423,
    427,
)
MINI = (
    512,
    430,
    520,
    428,
    500,
    600,
    364,
    380,
    658,
    445,
    432,
    626,
    260,
    477,
    259,
    350,
    451,
)


# Statistics against published tables ---------------------------------------------------


def test_the_intraclass_correlations_of_shrout_and_fleiss() -> None:
    absolute = intraclass_correlation(SHROUT_FLEISS)
    consistency = intraclass_correlation(SHROUT_FLEISS, "consistency")
    assert isinstance(absolute, IntraclassCorrelation)
    assert isinstance(consistency, IntraclassCorrelation)
    assert round(absolute.value, 2) == 0.29
    assert round(consistency.value, 2) == 0.71
    # The intervals that others print for this table.
    assert np.round(absolute.interval95, 2).tolist() == [0.02, 0.76]
    assert np.round(consistency.interval95, 2).tolist() == [0.34, 0.95]


def test_a_reader_who_always_reads_more_agrees_in_consistency_alone() -> None:
    first = np.array([1.0, 4.0, 2.0, 8.0, 5.0, 7.0])
    table = np.column_stack([first, first + 3])
    consistency = intraclass_correlation(table, "consistency")
    absolute = intraclass_correlation(table)
    assert isinstance(consistency, IntraclassCorrelation)
    assert isinstance(absolute, IntraclassCorrelation)
    assert consistency.value == pytest.approx(1)
    assert absolute.value < 0.7
    same = intraclass_correlation(np.column_stack([first, first]))
    assert isinstance(same, IntraclassCorrelation)
    assert same.value == 1
    assert same.interval95 == (1, 1)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    # True ICC(A,1) by the variances: 4 / (4 + 0.5 + 1).
    random, truth, held = np.random.default_rng(5), 4 / 5.5, 0
    for _ in range(300):
        lesions, reader = random.normal(0, 2, (12, 1)), random.normal(0, 0.5**0.5, (1, 3))
        table = lesions + reader + random.normal(0, 1, (12, 3))
        found = intraclass_correlation(table)
        assert isinstance(found, IntraclassCorrelation)
        held += found.interval95[0] <= truth <= found.interval95[1]
    assert 0.90 <= held / 300 <= 0.99


def test_the_weighted_kappa_of_two_dermatologists() -> None:
    first = [i for i in range(4) for j in range(4) for _ in range(SKIN[i][j])]
    second = [j for i in range(4) for j in range(4) for _ in range(SKIN[i][j])]
    found = weighted_kappa(first, second, 4)
    assert isinstance(found, WeightedKappa)
    assert round(found.value, 4) == 0.5082
    assert round(found.standard_error, 4) == 0.0655
    assert np.round(found.interval95, 4).tolist() == [0.3798, 0.6366]
    assert (found.pairs, found.same) == (88, 45)


def test_quadratic_kappa_is_the_concordance_of_the_class_numbers() -> None:
    # Fleiss & Cohen 1973: an identity, so that the weights are right to the bit.
    first = [i for i in range(4) for j in range(4) for _ in range(SKIN[i][j])]
    second = [j for i in range(4) for j in range(4) for _ in range(SKIN[i][j])]
    x, y = np.array(first, float), np.array(second, float)
    shared = 2 * np.mean((x - x.mean()) * (y - y.mean()))
    meant = shared / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    found = weighted_kappa(first, second, 4, "quadratic")
    assert isinstance(found, WeightedKappa)
    assert found.value == pytest.approx(meant, rel=1e-12)


def test_the_limits_of_agreement_of_two_flow_meters() -> None:
    found = limits_of_agreement(MINI, WRIGHT)
    assert isinstance(found, LimitsOfAgreement)
    assert round(found.bias, 1) == -2.1
    assert round(found.sd, 1) == 38.8
    assert np.round(found.bias_interval95, 1).tolist() == [-22.0, 17.8]
    assert found.upper == pytest.approx(found.bias + 1.96 * found.sd, abs=1e-3)
    # About the root of three times the standard error of the mean, as the paper has it.
    half = (found.upper_interval95[1] - found.upper_interval95[0]) / 2
    assert half == pytest.approx(2.12 * 38.8 * math.sqrt(2.92 / 17), rel=0.02)
    assert not found.is_biased
    assert not found.is_proportional


def test_an_error_that_grows_with_the_size_is_called() -> None:
    sizes = np.linspace(2, 40, 20)
    wobble = np.tile([0.02, -0.02], 10)
    grown = limits_of_agreement(sizes, sizes * (1.1 + wobble))
    level = limits_of_agreement(sizes, sizes + 10 * wobble)
    assert isinstance(grown, LimitsOfAgreement)
    assert isinstance(level, LimitsOfAgreement)
    assert grown.is_proportional
    assert grown.is_biased
    assert not level.is_proportional


def test_too_few_or_too_alike_give_a_reason_and_no_number() -> None:
    few = (1, 2, 3, 4)
    assert "4 pairs" in str(intraclass_correlation(np.column_stack([few, few])))
    assert "4 pairs" in str(limits_of_agreement(few, few))
    assert "4 pairs" in str(weighted_kappa(few, few, 5))
    assert "do not differ" in str(intraclass_correlation(np.ones((6, 2))))
    assert "one class" in str(weighted_kappa([1] * 6, [1] * 6, 3))
    with pytest.raises(OsteotraceError, match="not finite"):
        intraclass_correlation([[1.0, math.nan]] * 6)


# Readings ------------------------------------------------------------------------------


FIRST = (10.0, 12.5, 8.0, 21.0, 15.5, 30.0, 5.5)
SECOND = (10.4, 12.1, 8.3, 20.5, 16.0, 30.2, 5.1)


def two_readings() -> tuple[Assessment, Assessment]:
    return (
        reading("A", *(gap(n, v, by="A") for n, v in enumerate(FIRST))),
        # Marked in another order, a little aside, under names of their own.
        reading(
            "B",
            *(
                gap(n, v, by="B", at=0.3, label=f"X-{n}")
                for n, v in reversed(list(enumerate(SECOND)))
            ),
        ),
    )


def test_lesions_of_two_readers_are_paired_by_their_place() -> None:
    found = agreement(two_readings())
    assert found.readers == ("A", "B")
    assert [(one.first.label, one.second.label) for one in found.lesions] == [
        (f"LEN-{n}", f"X-{n}") for n in range(7)
    ]
    (quantity,) = found.quantities
    pairs = sorted((one.first, one.second) for one in quantity.pairs)
    assert pairs == sorted(zip(FIRST, SECOND, strict=True))
    assert quantity.limits is not None
    difference = np.subtract(SECOND, FIRST)
    assert quantity.limits.bias == pytest.approx(difference.mean())
    assert quantity.absolute is not None
    assert quantity.absolute.value > 0.99


def test_what_one_marked_alone_is_named_and_no_absence() -> None:
    first, second = two_readings()
    more = msgspec.structs.replace(
        first, findings=(*first.findings, gap(20, 4.0, by="A"))
    )
    found = agreement((more, second))
    assert found.alone == (("A", "LEN-20"),)
    assert len(found.lesions) == 7
    assert found.classes == ()


def test_what_does_not_compare_is_left_out_with_the_reason() -> None:
    first, second = two_readings()
    flagged = list(second.findings)
    (value,) = flagged[0].measurements
    doubted = msgspec.structs.replace(value, flags=("rival edge",))
    flagged[0] = msgspec.structs.replace(flagged[0], measurements=(doubted,))
    found = agreement((first, msgspec.structs.replace(second, findings=tuple(flagged))))
    (quantity,) = found.quantities
    assert len(quantity.pairs) == 6
    assert quantity.notes == ("LEN-6 left out: the later value is flagged",)


def test_too_few_pairs_say_so_without_a_number() -> None:
    first, second = two_readings()
    few = [
        msgspec.structs.replace(one, findings=one.findings[:3]) for one in (first, second)
    ]
    few[1] = msgspec.structs.replace(few[1], findings=second.findings[-3:])
    (quantity,) = agreement(few).quantities
    assert len(quantity.pairs) == 3
    assert quantity.absolute is None
    assert quantity.limits is None
    assert quantity.repeatability is None
    assert quantity.notes == ("3 pairs: 5 at least give a number",)


def test_one_person_who_read_twice_is_compared_with_themselves() -> None:
    first, second = two_readings()
    again = msgspec.structs.replace(second, reader="A")
    found = agreement((again, first))
    assert found.readers == ("A", "A")
    assert found.by_one_reader
    (quantity,) = found.quantities
    assert quantity.repeatability is not None
    # wSD² is half the mean squared difference; RC is 2.77 of it.
    squares = np.subtract(SECOND, FIRST) ** 2
    meant = 1.96 * math.sqrt(2) * math.sqrt(squares.mean() / 2)
    assert quantity.repeatability.coefficient == pytest.approx(meant, rel=1e-4)
    assert quantity.repeatability.repeatability.two_readers is None


def test_amendments_and_adjudications_are_no_second_reading() -> None:
    first, second = two_readings()
    amended = msgspec.structs.replace(
        first, assessment_uid="2.25.1.9", predecessor_uid=first.assessment_uid
    )
    decided = reading(
        "C", protocol=f"adjudication of {first.assessment_uid} and 2.25.1.66"
    )
    found = agreement((first, amended, second, decided))
    assert found.readers == ("A", "B")
    assert found.notes == ()
    with pytest.raises(OsteotraceError, match="no study that was read by A twice"):
        agreement((first, amended))


def test_more_readers_than_two_are_to_be_named() -> None:
    first, second = two_readings()
    third = reading("C", *(gap(n, v, by="C") for n, v in enumerate(FIRST)))
    with pytest.raises(OsteotraceError, match="3 readers: A, B, C") as caught:
        agreement((first, second, third))
    assert caught.value.usage
    found = agreement((first, second, third), readers=("C", "A"))
    assert found.readers == ("C", "A")
    # Both gave the very same numbers.
    (quantity,) = found.quantities
    assert quantity.absolute is not None
    assert list(quantity.absolute.interval95) == [1, 1]
    assert quantity.repeatability is None
    assert "no coefficient: both readings are the same to the bit" in quantity.notes
    with pytest.raises(OsteotraceError, match="nobody called Z"):
        agreement((first, second), readers=("A", "Z"))


def staged(system: str, site: str, low: str, high: str = "") -> StagingResult:
    return StagingResult(
        system=system,
        version="1",
        date="2024-01-02",
        stages=("0", "1", "2", "3"),
        lowest=low,
        highest=high or low,
        possible=(low,),
        source="test",
        site=site,
    )


def test_an_interval_stage_does_not_compare_and_is_said() -> None:
    given = (
        *(("l1", "1", "1"), ("l2", "2", "2"), ("l3", "3", "2")),
        *(("l4", "0", "0"), ("l5", "1", "1"), ("t12", "0", "1")),
    )
    mine = [staged("genant", site, a) for site, a, _ in given]
    theirs = [staged("genant", site, b) for site, _, b in given]
    mine.append(staged("genant", "t11", "1", "2"))
    theirs.append(staged("genant", "t11", "1"))
    found = agreement(
        (reading("A", stagings=tuple(mine)), reading("B", stagings=tuple(theirs)))
    )
    (classes,) = found.classes
    assert len(classes.pairs) == 6
    assert classes.notes == ("t11: an interval stage, 1..2, does not compare",)
    assert classes.linear is not None
    alone = weighted_kappa([1, 2, 3, 0, 1, 0], [1, 2, 2, 0, 1, 1], 4)
    assert classes.linear == alone


def test_absence_that_was_stated_counts_in_the_agreement_on_presence() -> None:
    sides = []
    for by, absent in (("A", {1, 4}), ("B", {1, 5})):
        findings = [
            gap(n, 5.0 + n, by=by, presence="absent" if n in absent else "present")
            for n in range(7)
        ]
        sides.append(reading(by, *findings))
    (presence,) = (one for one in agreement(sides).classes if one.name == "presence")
    assert sum(one.first == one.second for one in presence.pairs) == 5
    # Cohen's kappa of the table 1, 1, 1, 4.
    assert presence.linear is not None
    assert presence.linear.value == pytest.approx((5 / 7 - 29 / 49) / (1 - 29 / 49))


# The site's own coefficient ------------------------------------------------------------


def test_the_coefficient_of_a_site_is_saved_read_and_used(tmp_path: Path) -> None:
    first, second = two_readings()
    file = tmp_path / "rc.json"
    file.write_bytes(site_file(agreement((first, second)), recorded="2024-05-02"))
    own = read_repeatabilities(file)
    assert list(own) == ["line_length"]
    earlier, later = (
        first.findings[0].measurements[0],
        second.findings[-1].measurements[0],
    )
    assert isinstance(earlier, Measurement)
    assert isinstance(later, Measurement)
    far = msgspec.structs.replace(later, value=earlier.value + 3, sources=("2.25.7",))
    found = change(earlier, far, same_reader=False, repeatability=own["line_length"])
    assert found.verdict == "increased"
    assert "the site's own 14 readings of 7 lesions" in found.limit_origin
    assert any("same images read twice" in note for note in found.notes)


def test_a_file_that_was_edited_into_nonsense_is_refused(tmp_path: Path) -> None:
    whole = json.loads(site_file(agreement(two_readings()), recorded="2024-05-02"))
    file = tmp_path / "rc.json"

    def refused(match: str, **edits: object) -> None:
        file.write_text(json.dumps(whole | edits))
        with pytest.raises(OsteotraceError, match=match) as caught:
            read_repeatabilities(file)
        assert str(file) in str(caught.value)

    refused("version 2", version=2)
    refused("cannot be read", more=1)
    refused("two coefficients", repeatabilities=whole["repeatabilities"] * 2)
    (one,) = whole["repeatabilities"]
    one["repeatability"]["quantities"] = ["beauty"]
    refused("'beauty'", repeatabilities=[one])
    with pytest.raises(OsteotraceError, match="cannot be read"):
        read_repeatabilities(tmp_path / "missing.json")


def test_readings_without_a_coefficient_give_no_file() -> None:
    with pytest.raises(OsteotraceError, match="no coefficient of any quantity"):
        site_file(agreement((reading("A"), reading("B"))), recorded="")


# The command line ----------------------------------------------------------------------


def saved(folder: Path, *readings: Assessment) -> Path:
    for one in readings:
        records.save(one, folder / f"{one.assessment_uid}.json")
    return folder


def test_the_verb_prints_a_table_and_writes_both_files(
    tmp_path: Path, osteotrace: Callable[..., Outcome]
) -> None:
    folder = saved(tmp_path / "records", *two_readings())
    rc, table = tmp_path / "rc.json", tmp_path / "agreement.csv"
    done = osteotrace("agreement", folder, "--out", rc, "--csv", table)
    assert done.code == 0
    assert "A and B: 1 study, 7 lesions marked by both" in done.out
    assert "Research use only" in done.out
    assert list(read_repeatabilities(rc)) == ["line_length"]
    with table.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["pairs"] == "7"
    assert row["icc_absolute"].startswith("0.99")
    again = osteotrace("agreement", folder, "--out", rc)
    assert again.code == 2
    assert "never overwritten" in again.err


def test_the_verb_prints_json(tmp_path: Path, osteotrace: Callable[..., Outcome]) -> None:
    folder = saved(tmp_path / "records", *two_readings())
    done = osteotrace("agreement", folder, "--readers", "B", "A", "--json")
    told = json.loads(done.out)
    assert told["readers"] == ["B", "A"]
    assert told["quantities"][0]["limits"]["pairs"] == 7


def test_too_few_lesions_for_a_coefficient_are_told_beside_the_agreement(
    tmp_path: Path, osteotrace: Callable[..., Outcome]
) -> None:
    folder = saved(tmp_path / "records", reading("A"), reading("B"))
    rc, table = tmp_path / "rc.json", tmp_path / "agreement.csv"
    done = osteotrace("agreement", folder, "--out", rc, "--csv", table)
    assert done.code == 1
    assert done.out.startswith("A and B: ")
    assert table.exists()
    assert not rc.exists()
    assert "no coefficient" in done.err
