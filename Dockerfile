# One image for prepare, migrate, web, worker, beat and Flower: the locked packages, run by a user without rights.
# docs/containers.md tells how it is used; tests/acceptance/test_containers.py runs what is written here by hand.
ARG PYTHON=3.11.17-slim-bookworm

FROM python:${PYTHON} AS builder
RUN pip install --no-cache-dir --root-user-action=ignore uv==0.13.9
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /opt/toygres
# What others wrote is a layer of its own: it changes less often than what we write.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev --no-install-project --compile-bytecode
COPY README.md LICENSE ./
COPY toygres toygres
COPY worker worker
COPY web web
RUN --mount=type=cache,target=/root/.cache/uv uv sync --frozen --no-dev --no-editable --compile-bytecode

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="Toygres" \
      org.opencontainers.image.description="Order a PostgreSQL database: a self-service control plane." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# A new volume takes its owner and mode from the folder that it is mounted on. 999 is the group of the official images'
# servers, which read their passwords by it.
RUN groupadd --gid 10001 toygres \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /var/lib/toygres \
        --shell /usr/sbin/nologin toygres \
    && install --directory --owner=10001 --group=10001 --mode=0700 \
        /var/lib/toygres /etc/toygres/metadata-client /etc/toygres/broker-client /etc/toygres/flower \
    && install --directory --owner=10001 --group=999 --mode=0750 \
        /etc/toygres/metadata-server /etc/toygres/broker-server
COPY --from=builder /opt/toygres/.venv /opt/toygres/.venv
ENV PATH=/opt/toygres/.venv/bin:$PATH \
    HOME=/var/lib/toygres \
    TOYGRES_HOME=/var/lib/toygres \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/toygres
CMD ["toygres", "--help"]
