#!/bin/sh
# Makes the data folder where there is none, then becomes the server. Arguments that begin with a dash are the server's.
set -eu

case "${1:-}" in -*) set -- postgres "$@" ;; esac

if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    password=${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD: the new server would have no password}
    # Beside its place until it is whole: who is killed on the way begins anew.
    new="$PGDATA.new"
    rm -rf "$new"
    printf '%s\n' "$password" | initdb --pgdata="$new" --username="$user" --pwfile=/dev/stdin --auth-local=trust --auth-host=scram-sha-256 \
        --data-checksums --encoding=UTF8 --locale=C.UTF-8
    echo 'host all all all scram-sha-256' >> "$new/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$new/postgresql.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s"\n' "$database" | postgres --single -D "$new" postgres
    fi
    sync
    mv "$new" "$PGDATA"
fi

unset POSTGRES_PASSWORD
exec "$@"
