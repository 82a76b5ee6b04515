# golang:1.23-bookworm from Debian's backport of Go 1.23, with the official image's paths and tools.
ARG BASE
FROM ${BASE}
ENV GOPATH=/go GOTOOLCHAIN=local
ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN sed -n '1s/ bookworm / bookworm-backports /p' /etc/apt/sources.list > /etc/apt/sources.list.d/backports.list \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates g++ gcc git libc6-dev make pkg-config \
    && apt-get install -y --no-install-recommends -t bookworm-backports golang-1.23-go \
    && rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/backports.list \
    && ln -s /usr/lib/go-1.23 /usr/local/go \
    && mkdir -p /go/src /go/bin && chmod -R 1777 /go \
    && go version
WORKDIR /go
