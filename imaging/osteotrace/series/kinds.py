"""What an image is: CT, MR, localizer, radiograph, cone beam, or no image at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from osteotrace.geometry import cross
from osteotrace.series.stacks import is_placed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osteotrace.series.instances import ImageAttributes, Instance, SeriesIdentity

PROJECTION_MODALITIES: Final = frozenset({"CR", "DX", "RG", "PX", "IO", "MG", "RF", "XA"})
MEASURED_MODALITIES: Final = frozenset({"CT", "MR"})
# X-Ray 3D Angiographic and Craniofacial: volumes, whatever their modality (PS3.3 A.53).
XRAY_3D_SOP_CLASSES: Final = frozenset(
    {"1.2.840.10008.5.1.4.1.1.13.1.1", "1.2.840.10008.5.1.4.1.1.13.1.2"}
)
ENHANCED_SOP_CLASSES: Final = XRAY_3D_SOP_CLASSES | {
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
    "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
}
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"

_CONE_BEAM: Final = re.compile(r"\bcbct\b|cone.?beam", re.IGNORECASE)
# Cone beam scanners for jaws by maker and model; most write plain CT images and say so
# nowhere else.
_CONE_BEAM_DEVICES: Final = re.compile(
    r"newtom|i-?cat\b|promax|accuitomo|veraview|orthophos|galileos|axeos|scanora|kavo|"
    r"\bop ?300|\bop ?3d|picasso|vatech|\bcs ?8[12]00|\bcs ?9[0-9]00|rayscan|pax-?i|"
    r"planmeca|morita|imaging sciences",
    re.IGNORECASE,
)


def no_stack(group: Sequence[Instance]) -> str:
    """Return the verdict that rules a stack out, or an empty string."""
    first = group[0]
    modality, form = first.attributes.modality, first.attributes.format
    volumetric = first.sop_class_uid in XRAY_3D_SOP_CLASSES
    if modality in PROJECTION_MODALITIES and not volumetric:
        return "projection"
    image = first.rows and first.columns
    if not image or not (volumetric or modality in MEASURED_MODALITIES):
        return "not_an_image"
    if form.floating:
        return "not_an_image"  # A map of a quantity, not of stored grey values.
    if "MOSAIC" in first.attributes.image_type:
        return "unreadable"  # Slices side by side in one image: one place for many.
    if first.sop_class_uid in ENHANCED_SOP_CLASSES and not first.frame:
        return "unreadable"
    if "LOCALIZER" in first.attributes.image_type:
        return "localizer"
    spacing = first.pixel_spacing
    if spacing is None or min(spacing) <= 0:
        return "no_spacing"
    return "" if is_placed(group) else "not_an_image"


def apart(attributes: ImageAttributes) -> tuple[object, ...]:
    """Return what separates images of one series, besides spacing and orientation."""
    return (
        attributes.modality,
        attributes.rows,
        attributes.columns,
        attributes.image_type,
        attributes.echo_time,
        attributes.b_value,
        attributes.stack,
        attributes.kernel,
        attributes.kvp,
        attributes.component,
        attributes.format.samples,
    )


def kind_words(identity: SeriesIdentity, attributes: ImageAttributes) -> list[str]:
    """Return the words that name a volume inside its series."""
    words = []
    if attributes.orientation is not None:
        cosines = attributes.orientation
        normal = cross(cosines[:3], cosines[3:])
        words.append(("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal)))])
    if attributes.echo_time is not None:
        words.append(f"TE {attributes.echo_time:g} ms")
    if attributes.b_value is not None:
        words.append(f"b {attributes.b_value:g} s/mm²")
    if attributes.stack:
        words.append(f"stack {attributes.stack}")
    words.extend(attributes.image_type[2:3])
    words += filter(None, [attributes.kernel, attributes.component.lower()])
    if attributes.image_type[:1] == ("DERIVED",):
        words.append("derived")
    if attributes.sop_class_uid.startswith(SECONDARY_CAPTURE):
        words.append("secondary capture")
    if is_cone_beam(identity, attributes):
        words.append("cone beam")
    return words


def is_cone_beam(identity: SeriesIdentity, attributes: ImageAttributes) -> bool:
    """Tell whether an image says that a cone beam scanner made it."""
    if attributes.sop_class_uid in XRAY_3D_SOP_CLASSES:
        return True
    if attributes.modality != "CT":
        return False
    said = (
        *attributes.image_type, identity.description, identity.protocol_name,
        identity.study_description, identity.device,
    )  # fmt: skip
    device = _CONE_BEAM_DEVICES.search(identity.device)
    return bool(device) or any(_CONE_BEAM.search(text) for text in said)
