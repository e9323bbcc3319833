"""What kubectl reads of YAML scalars without quotes."""

from typing import Any

#: What sigs.k8s.io/yaml 1.6.0 over go.yaml.in/yaml/v2 2.4.3, which kubectl 1.36 reads with, makes of plain scalars: YAMLToJSONStrict.
_TEXTS = """yEs tRUE oN nULL nan NaN inf -inf .Nan .iNF yy -y ny ~~ = + . _ _1 __1 ._5 1:30 2020-01-01 1,000 1.2.3 0x 0b 0o 0x_ 0b_ 0o_ 0o8
0b2 0xg 1e 1e+ .e3 .7_ e5 0x1p4 0x10000000000000000 2020-01-01T00:00:00Z"""
_INTEGERS = """1_000=1000 1__0=10 1_=1 0_=0 0_7=7 -_1=-1 +_1=1 +1=1 -0=0 00=0 017=15 0o17=15 0O17=15 -0o17=-15 0o7_=7 0x1f=31 0X1F=31
-0x1f=-31 0x_f=15 0b1=1 0B1=1 -0b11=-3 0b_1=1 0b-1=-1 9223372036854775807=9223372036854775807 18446744073709551615=18446744073709551615
01777777777777777777777=18446744073709551615 0xffffffffffffffff=18446744073709551615"""
_FLOATS = """08=8 0123456789=123456789 .5=.5 -.5=-.5 1.=1 1.10=1.1 1e3=1e3 1E3=1e3 1_e3=1e3 1e3_0=1e30 1_0.5=10.5 1._5=1.5 1.5_=1.5 5_.=5
.76_370=.7637 1e-400=0 00.5=.5 18446744073709551616=18446744073709551616 -9223372036854775809=-9223372036854775809
+9223372036854775808=9223372036854775808 02000000000000000000000=2e21"""
FACTS: dict[str, Any] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["null", "Null", "NULL", "~"], None),
    **{text: text for text in _TEXTS.split()},
    **{text: int(value) for text, value in (pair.rsplit("=") for pair in _INTEGERS.split())},
    **{text: float(value) for text, value in (pair.rsplit("=") for pair in _FLOATS.split())},
}
