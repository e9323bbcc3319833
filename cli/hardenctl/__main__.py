"""`python -m hardenctl`."""

from hardenctl.app import main

main()
