"""Pages of HTML from the templates beside the modules that fill them: always escaped."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(package: str, name: str) -> Template:
    """Return a package's template; what fills it is escaped, and has to be there.

    Parameters
    ----------
    package : str
        Full name.
    name : str
        The file.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=DictLoader({name: file_text(package, name)}),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def file_text(package: str, name: str) -> str:
    """Return the text of a package's file: a style, a script, a template."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
