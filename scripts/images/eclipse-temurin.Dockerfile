# eclipse-temurin:17-jdk from Debian's OpenJDK 17: the same sources, built by Debian.
ARG BASE
FROM ${BASE}
ENV JAVA_HOME=/opt/java/openjdk LANG=en_US.UTF-8
ENV PATH=/opt/java/openjdk/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates ca-certificates-java openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir -p /opt/java && ln -s /usr/lib/jvm/java-17-openjdk-* /opt/java/openjdk \
    && java -version
CMD ["jshell"]
