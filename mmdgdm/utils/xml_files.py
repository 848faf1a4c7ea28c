"""XML of other programs, without the parts of the language that can do harm."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike


class _Builder(ElementTree.TreeBuilder):
    """Builds elements; a document type may declare entities, which fill memory."""

    def doctype(self, *_: str) -> NoReturn:
        """Refuse it: annotation has no use for one."""
        raise DataError("Expected no document type (<!DOCTYPE ...>), but got one.")


def read_xml(path: PathLike) -> ElementTree.Element:
    """Read an XML file. Nothing it refers to is opened.

    Args:
        path: The file.

    Returns:
        Its root.

    Raises:
        DataError: If it cannot be read, is no XML or declares a document type.
    """
    try:
        # Entities that are declared all the same are stopped by expat itself.
        parser = ElementTree.XMLParser(target=_Builder())
        return ElementTree.fromstring(Path(path).read_bytes(), parser)
    except DataError:
        raise
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"Expected readable XML, but got: {error}.") from error
