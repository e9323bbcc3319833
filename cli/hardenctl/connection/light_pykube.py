"""pykube and requests without two optional parts, which take a third of their time to load and are of no use here.

requests_oauthlib is for OpenID Connect, where the official client is taken; charset_normalizer guesses what text without a charset is,
and the API server speaks JSON.
"""

import sys
import warnings

_OPTIONAL = [name for name in ("requests_oauthlib", "charset_normalizer", "chardet") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_OPTIONAL))  # type: ignore[arg-type]  # None: an import of it fails
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection dependency")
    import pykube as pykube
    import requests as requests
for _name in _OPTIONAL:
    del sys.modules[_name]
