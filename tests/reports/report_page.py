"""HTML as a tree, for the tests of the report; refuses tags that do not nest."""

from html.parser import HTMLParser

from kbert.reports.page import page

VOID = {"meta"}


class Element:
    def __init__(self, name, attributes, parent=None):
        self.name = name
        self.attributes = attributes
        self.classes = (attributes.get("class") or "").split()
        self.children = []
        if parent is not None:
            parent.children.append(self)

    @property
    def text(self):
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, name, kind=None):
        """Elements of a name, and of a class if one is given, in the page's order."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.name == name and (kind is None or kind in child.classes):
                    found.append(child)
                found += child.all(name, kind)
        return found

    def rows(self):
        """The cells of a table, row by row, as texts."""
        return [
            [cell.text for cell in row.children if isinstance(cell, Element)]
            for row in self.all("tr")
        ]


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = [Element("page", {})]

    def handle_starttag(self, name, attributes):
        element = Element(name, dict(attributes), self.open[-1])
        if name not in VOID:
            self.open.append(element)

    def handle_endtag(self, name):
        assert self.open[-1].name == name, f"</{name}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parsed(text):
    """The tree of a page or of a piece of one."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].name}> stays open"
    return parser.open[0]


def shown(*sections):
    """The tree of a page that has nothing but these sections."""
    return parsed(page("Sections", {}, (), sections))
