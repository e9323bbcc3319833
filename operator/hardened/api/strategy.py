"""The release strategies by name: apart from the models, since whoever only reads a status loads none of them."""

from typing import Literal

Strategy = Literal["BlueGreen", "RollingUpdate", "Recreate"]
