"""Signs where they can be shown, plain letters where not."""

from io import StringIO

from hardenctl.output.console import Console


def test_signs_that_cannot_be_encoded_are_plain() -> None:
    class Ascii(StringIO):
        encoding = "ascii"

    console = Console(Ascii(), Ascii())
    assert [console.branch(False), console.branch(True), console.trunk(False), console.trunk(True)] == ["|-", "`-", "| ", "  "]
