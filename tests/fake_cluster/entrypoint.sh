#!/bin/bash
# Stands in for the official image's docker-entrypoint.sh: makes the data directory at the first start, then becomes the
# server. FAKE_* come from real_server.py: a template that initdb made, the folder of first-start scripts, and the
# arguments that move the server to an address and a socket of its own.
set -euo pipefail

if [ "$#" -eq 0 ] || [ "${1:0:1}" = "-" ]; then
    set -- postgres "$@"
fi
if [ "$1" != postgres ]; then
    exec "$@"
fi

read -r -a moved <<<"$FAKE_MOVED"
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
password=${POSTGRES_PASSWORD:-}
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    password=$(<"$POSTGRES_PASSWORD_FILE")
fi
# The image's own leaves it in the environment, whether it is needed or not.
export POSTGRES_PASSWORD="$password"
unset POSTGRES_PASSWORD_FILE

ask() {
    PGPASSWORD='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --quiet -h "$FAKE_SOCKETS" -p "$FAKE_PORT" -U "$user" "$@"
}

# The image's own may not change the folder of sockets in a restricted pod, says so, and goes on.
echo "chmod: changing permissions of '/var/run/postgresql': Operation not permitted" >&2
mkdir -p -m 0700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "$password" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
        exit 1
    fi
    if [ -n "$(ls -A "$PGDATA")" ]; then
        echo "initdb: error: directory \"$PGDATA\" exists but is not empty" >&2
        exit 1
    fi
    cp -R "$FAKE_TEMPLATE/." "$PGDATA/"
    chmod 0700 "$PGDATA"
    echo "host all all all ${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "${@:2}" "${moved[@]}" -c listen_addresses=)" -s -w start
    printf "ALTER ROLE \"%s\" PASSWORD :'secret';\n" "$user" | ask -d postgres -v secret="$password" -f -
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s";\n' "$database" | ask -d postgres -f -
    fi
    for script in "$FAKE_SCRIPTS"/*; do
        case "$script" in
            *.sh) . "$script" ;;
            *.sql) ask -d "$database" -f "$script" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -s -w stop
    echo 'PostgreSQL init process complete; ready for start up.'
fi
exec "$@" "${moved[@]}"
