# The server in a container. The database and chargeport.toml are in /data, the working folder.
#   docker build --tag chargeport .                      with extras: --build-arg EXTRAS=ocpp,polling
FROM python:3.13-slim AS build
WORKDIR /source
ARG EXTRAS=""
RUN python -m venv /opt/chargeport
COPY requirements/runtime.txt requirements/runtime.txt
RUN /opt/chargeport/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/chargeport/bin/pip install --no-cache-dir ".${EXTRAS:+[$EXTRAS]}" && touch /opt/chargeport/.image

FROM python:3.13-slim
COPY --from=build /opt/chargeport /opt/chargeport
ENV PATH=/opt/chargeport/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin chargeport && install -d -o chargeport -m 700 /data
USER chargeport
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["chargeport", "serve", "--host", "0.0.0.0"]
