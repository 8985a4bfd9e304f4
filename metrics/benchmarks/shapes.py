"""The shape of sample documents, from which peers derive their own tables."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from metrics.benchmarks.inputs import END, END_OF_NEEDED

XSD = "http://www.w3.org/2001/XMLSchema"


@dataclass
class Shape:
    """The content of the elements at one path."""

    attributes: set[str] = field(default_factory=set)
    children: dict[str, "Shape"] = field(default_factory=dict)
    most: Counter[str] = field(default_factory=Counter)
    has_text: bool = False

    def add(self, element: Any) -> None:
        """See one more element."""
        self.attributes |= set(element.attrib)
        self.has_text |= bool((element.text or "").strip())
        counts = Counter(child.tag for child in element)
        self.most |= counts
        for child in element:
            self.children.setdefault(child.tag, Shape()).add(child)

    def declare(self, parent: Any, name: str, most: int = 1) -> None:
        """Declare such an element in a schema."""
        element = etree.SubElement(parent, f"{{{XSD}}}element", name=name)
        if parent.tag != f"{{{XSD}}}schema":
            element.set("minOccurs", "0")
            element.set("maxOccurs", "1" if most == 1 else "unbounded")
        if not self.attributes and not self.children:
            element.set("type", "xs:string")
            return
        kind = etree.SubElement(element, f"{{{XSD}}}complexType")
        if self.has_text and not self.children:
            content = etree.SubElement(kind, f"{{{XSD}}}simpleContent")
            kind = etree.SubElement(content, f"{{{XSD}}}extension", base="xs:string")
        elif self.children:
            sequence = etree.SubElement(kind, f"{{{XSD}}}sequence")
            for child, shape in self.children.items():
                shape.declare(sequence, child, self.most[child])
        for attribute in sorted(self.attributes):
            etree.SubElement(kind, f"{{{XSD}}}attribute", name=attribute, type="xs:string")


def needed(text: str | bytes) -> bytes:
    """A document without its bureau reports."""
    content = text if isinstance(text, bytes) else text.encode()
    return content.partition(END_OF_NEEDED)[0] + END_OF_NEEDED + END
