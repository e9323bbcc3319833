"""How a secret is known where nobody says that it is one: by the name beside it, or by its form."""

import re

#: Names of variables whose value is not for screens and logs.
SECRET_NAME = re.compile(r"passw|secret|token|credential|private|api_?key|access_?key|(^|_)(pw|pwd|auth|key)(_|$)", re.IGNORECASE)
#: The password of a URL.
URL_PASSWORD = re.compile(r"(\w://[^/\s:@]*:)[^@/\s]+@")
