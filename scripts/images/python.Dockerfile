# python:3.11-slim from Debian's Python 3.11, with the official image's names and without Debian's lock on pip.
ARG BASE
FROM ${BASE}
ENV LANG=C.UTF-8
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/* /usr/lib/python3*/EXTERNALLY-MANAGED \
    && for name in python python3 python3.11; do ln -s /usr/bin/python3 /usr/local/bin/$name; done \
    && ln -s /usr/bin/pip3 /usr/local/bin/pip && ln -s /usr/bin/pip3 /usr/local/bin/pip3 \
    && python --version && pip --version
CMD ["python3"]
