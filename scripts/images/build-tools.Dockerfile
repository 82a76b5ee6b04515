# The full image from the slim one: compilers and tools that native packages are built with.
ARG BASE
FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates curl git openssh-client pkg-config \
       procps python3 unzip wget xz-utils \
    && rm -rf /var/lib/apt/lists/*
