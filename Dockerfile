# A small image that runs as a user without rights: docker build --build-arg ACCEPT_EULA=Y --tag xml-extractor .
FROM python:3.13-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY xml_extractor xml_extractor
RUN python -m venv /opt/xml-extractor && /opt/xml-extractor/bin/pip install --no-cache-dir '.[otel]'

FROM python:3.13-slim-bookworm
# Y: you accept the licence terms of Microsoft's ODBC driver. Without it, the image has no driver for SQL Server.
ARG ACCEPT_EULA
# Source: "Install the Microsoft ODBC driver for SQL Server (Linux)", Microsoft Learn. Its repository has current versions only.
# hadolint ignore=DL3008
RUN if [ "$ACCEPT_EULA" = Y ]; then \
      apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl && \
      curl --fail --silent --show-error --location --output /tmp/repository.deb \
        https://packages.microsoft.com/config/debian/12/packages-microsoft-prod.deb && \
      dpkg --install /tmp/repository.deb && rm /tmp/repository.deb && \
      apt-get update && apt-get install --yes --no-install-recommends msodbcsql18 && \
      apt-get purge --yes --auto-remove curl && rm -rf /var/lib/apt/lists/*; \
    fi && \
    useradd --uid 10001 --create-home --home-dir /work loader
COPY --from=build /opt/xml-extractor /opt/xml-extractor
ENV PATH=/opt/xml-extractor/bin:$PATH
USER 10001
WORKDIR /work
ENTRYPOINT ["xml-extractor"]
CMD ["--help"]
