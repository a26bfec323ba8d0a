"""A study of the session as the comparison's own workflow has it in hand.

The session loads each volume once, whoever asks for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from osteotrace.findings import Assessment
from osteotrace.reading.assessing import SOFTWARE
from osteotrace.reading.comparing.gathering import GatheredStudy
from osteotrace.reading.comparing.in_hand import HeldImages, StudyInHand
from osteotrace.session.comparing.known_studies import NO_IMAGES

if TYPE_CHECKING:
    from osteotrace.series import Catalogue, VolumeHeader
    from osteotrace.session.comparing.known_studies import KnownStudy
    from osteotrace.session.open_images import OpenImages
    from osteotrace.volume import Volume


class OpenedImages(HeldImages):
    """The volumes of one study that the session holds.

    Parameters
    ----------
    study : Catalogue
    session : OpenImages
    """

    def __init__(self, study: Catalogue, session: OpenImages) -> None:
        super().__init__(study)
        self.headers = tuple(
            one for one in self.headers if one.identity.modality not in NO_IMAGES
        )
        self._session = session

    def held(self, header: VolumeHeader) -> Volume:
        """Return a volume of the study, loaded where it is not yet."""
        volume = self._session.view(header)
        self._volumes[header.identity.series_uid, header.k] = volume
        return volume


def in_hand(
    study: KnownStudy, session: OpenImages, catalogue: Catalogue | None
) -> StudyInHand:
    """Return a study with its reading and its images.

    Parameters
    ----------
    study : KnownStudy
    session : OpenImages
        What loads its volumes.
    catalogue : Catalogue or None
        What holds its series among others; None where its images are not open.
    """
    own = None
    if catalogue is not None:
        of_study = tuple(
            one for one in catalogue if one.identity.study_uid == study.study_uid
        )
        own = replace(catalogue, series=of_study)
    patient = "" if own is None else own.series[0].identity.patient
    reading = study.reading or Assessment(
        assessment_uid="",
        study_uid=study.study_uid,
        patient=patient,
        study_date=study.date,
        reader="",
        recorded="",
        series=(),
        software=SOFTWARE,
    )
    return StudyInHand(
        study=GatheredStudy(
            study_uid=study.study_uid,
            patient=reading.patient,
            date=study.date,
            where="",
            catalogue=own,
        ),
        images=None if own is None else OpenedImages(own, session),
        assessment=reading,
        is_read=study.reading is not None,
    )
