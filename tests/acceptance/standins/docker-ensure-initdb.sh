#!/bin/sh
# Stands in for the PostgreSQL image's script of this name, which makes the data folder where there is none.
set -eu
[ ! -s "$PGDATA/PG_VERSION" ] || exit 0
mkdir -p "$PGDATA"
# shellcheck disable=SC2086 # arguments, as the image's script takes them
initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
    --auth-local=trust $POSTGRES_INITDB_ARGS
echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
cat >>"$PGDATA/postgresql.conf" <<CONFIGURATION
listen_addresses = '${STANDIN_ADDRESS:-*}'
unix_socket_directories = '${STANDIN_SOCKETS:-/run/postgresql}'
fsync = off
CONFIGURATION
echo "CREATE DATABASE $POSTGRES_USER" | postgres --single postgres
