# node:MAJOR-bookworm-slim from the npm packages node-linux-* and npm, with the official image's user, paths and entry.
ARG BASE
FROM ${BASE}
ARG ARGUMENT
ENV NODE_VERSION=${ARGUMENT}
RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node
COPY node/bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s node /usr/local/bin/nodejs \
    && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \
    && chmod 755 /usr/local/bin/node /usr/local/lib/node_modules/npm/bin/*.js \
    && printf '%s\n' '#!/bin/sh' 'set -e' \
       'if [ "${1#-}" != "${1}" ] || [ -z "$(command -v "${1}")" ] || { [ -f "${1}" ] && ! [ -x "${1}" ]; }; then' \
       '  set -- node "$@"' 'fi' 'exec "$@"' > /usr/local/bin/docker-entrypoint.sh \
    && chmod 755 /usr/local/bin/docker-entrypoint.sh \
    && node --version && npm --version
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
