"""What is painted over one canvas at one moment: plain records, handed to the overlay."""

from __future__ import annotations

from dataclasses import dataclass, field

from osteotrace_napari.canvas.drawing import Picture


@dataclass(frozen=True, slots=True)
class Status:
    """One line about how the picture stands to another study.

    Parameters
    ----------
    words : str
    is_warning : bool
        Whether it must not be overlooked.
    """

    words: str = ""
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """Where one study ends and another begins.

    Parameters
    ----------
    x : float
        Pixels.
    left, right : str
        What is seen on either side.
    """

    x: float
    left: str
    right: str


@dataclass(slots=True, kw_only=True)
class Scene:
    """What is painted over one canvas.

    Parameters
    ----------
    letters : dict
        Patient letters of ``left``, ``right``, ``top`` and ``bottom``.
    place : str
        Lines of text in the upper left corner.
    badges : tuple of str
        Warnings about what is shown, such as ``"resampled"``.
    picture : Picture
        The marks.
    crosshair : (x, y) or None
        Pixels.
    prompt : str
        What the tool in hand asks for.
    status : Status
        At the foot: how the picture stands to another study.
    divider : Divider or None
    zoom : float
        Pixels a mm; 0 where there is no mm.
    """

    letters: dict[str, str] = field(default_factory=dict)
    place: str = ""
    badges: tuple[str, ...] = ()
    picture: Picture = field(default_factory=Picture)
    crosshair: tuple[float, float] | None = None
    prompt: str = ""
    status: Status = Status()
    divider: Divider | None = None
    zoom: float = 0.0
