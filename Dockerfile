# One image for migrate, web, worker, beat and Flower: the locked packages, run by a user without rights.
FROM python:3.11-slim-bookworm

RUN pip install --no-cache-dir "uv>=0.13.8,<0.14" \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/toygres toygres

WORKDIR /opt/toygres
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY toygres toygres
COPY worker worker
COPY web web
RUN uv sync --frozen --no-dev --no-editable --compile-bytecode

ENV PATH=/opt/toygres/.venv/bin:$PATH TOYGRES_HOME=/var/lib/toygres
USER toygres
VOLUME /var/lib/toygres
WORKDIR /var/lib/toygres
CMD ["toygres", "--help"]
