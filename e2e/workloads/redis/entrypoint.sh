#!/bin/sh
# Becomes the server. Arguments that begin with a dash are the server's.
set -eu
case "${1:-}" in -*) set -- redis-server "$@" ;; esac
exec "$@"
