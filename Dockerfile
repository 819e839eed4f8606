# `docker build -t autoheal .`; then:
#   docker run -v autoheal:/data -v ./autoheal.toml:/etc/autoheal.toml:ro --env-file autoheal.env autoheal
# The image holds what `make` installs: locked versions, checked by hash. It was not built where it was written.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock ./
RUN /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE manifest.yml ./
COPY bot bot
COPY handlers handlers
COPY agents agents
COPY store store
RUN /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.13-slim
# git is for the `git` connector
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin autoheal \
 && install -d -o autoheal -g autoheal -m 0700 /data
COPY --from=build /venv /venv
COPY --chmod=0755 <<'ALIVE' /usr/local/bin/alive
#!/venv/bin/python
"""Exit code 0 while `autoheal serve` works here: it answers over HTTP, or holds the lock of its SQLite folder."""
import os
import urllib.request

import fasteners

if os.environ.get("AUTOHEAL_MODE") == "http":
    urllib.request.urlopen(f"http://127.0.0.1:{os.environ.get('AUTOHEAL_HTTP_PORT', '3000')}/healthz", timeout=4)
elif not os.environ.get("AUTOHEAL_DATABASE_URL"):
    if fasteners.InterProcessLock(f"{os.environ['AUTOHEAL_DATA']}/engine.lock").acquire(blocking=False):
        raise SystemExit("nothing is running")
ALIVE
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 AUTOHEAL_DATA=/data AUTOHEAL_HTTP_HOST=0.0.0.0
USER autoheal
WORKDIR /home/autoheal
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["/usr/local/bin/alive"]
ENTRYPOINT ["autoheal"]
CMD ["serve"]
