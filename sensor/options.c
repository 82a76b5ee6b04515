// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/* Exists so that every limit of the sensor can be set and has one default, here. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "options.h"

static const char usage[] =
	"usage: fixpoint-sensor --listen PATH | --connect PATH | --probe\n"
	"  --listen PATH            make a Unix socket, say \"listening\", serve the first client\n"
	"  --connect PATH           connect to the server's Unix socket\n"
	"  --probe                  print as JSON what this kernel allows, and exit\n"
	"  --ring-mib N             ring buffer, a power of two (64)\n"
	"  --drain-ms N             how often the ring is emptied (10)\n"
	"  --stats-ms N             how often totals are reported (1000)\n"
	"  --accept-ms N            give up if no client comes; 0: wait for ever (0)\n"
	"  --connections-max N      sockets at once (65536)\n"
	"  --socket-buffer-kib N    send buffer of the socket (4096)\n";

static bool number(const char *name, const char *text, int least, int most, int *out)
{
	char *end;
	long value = strtol(text, &end, 10);
	if (*end || end == text || value < least || value > most) {
		fprintf(stderr, "fixpoint-sensor: --%s takes a number from %d to %d, not \"%s\"\n",
			name, least, most, text);
		return false;
	}
	*out = value;
	return true;
}

static bool is_sound(const struct options *o)
{
	if (o->ring_mib & (o->ring_mib - 1)) {
		fprintf(stderr, "fixpoint-sensor: --ring-mib must be a power of two\n");
		return false;
	}
	if (!o->is_probe && !o->listen_path == !o->connect_path) {
		fputs(usage, stderr);
		return false;
	}
	return true;
}

bool options_parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "connect", required_argument, NULL, 'c' },
		{ "probe", no_argument, NULL, 'p' },
		{ "ring-mib", required_argument, NULL, 'r' },
		{ "drain-ms", required_argument, NULL, 'd' },
		{ "stats-ms", required_argument, NULL, 's' },
		{ "accept-ms", required_argument, NULL, 'a' },
		{ "connections-max", required_argument, NULL, 'n' },
		{ "socket-buffer-kib", required_argument, NULL, 'b' },
		{},
	};
	int c, at = 0;
	*o = (struct options){ .ring_mib = 64, .drain_ms = 10, .stats_ms = 1000,
			       .connections_max = 65536,
			       .socket_buffer_kib = 4096 };
	while ((c = getopt_long(argc, argv, "", names, &at)) != -1) {
		bool ok = true;
		switch (c) {
		case 'l': o->listen_path = optarg; break;
		case 'c': o->connect_path = optarg; break;
		case 'p': o->is_probe = true; break;
		case 'r': ok = number("ring-mib", optarg, 1, 1024, &o->ring_mib); break;
		case 'd': ok = number("drain-ms", optarg, 1, 1000, &o->drain_ms); break;
		case 's': ok = number("stats-ms", optarg, 10, 60000, &o->stats_ms); break;
		case 'a': ok = number("accept-ms", optarg, 0, 600000, &o->accept_ms); break;
		case 'n': ok = number(names[at].name, optarg, 64, 1 << 22, &o->connections_max); break;
		case 'b': ok = number(names[at].name, optarg, 4, 65536, &o->socket_buffer_kib); break;
		default: fputs(usage, stderr); return false;
		}
		if (!ok)
			return false;
	}
	return is_sound(o);
}

static int accept_one(const struct options *o, int fd, struct sockaddr_un *address)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	int client;
	unlink(o->listen_path);
	if (bind(fd, (struct sockaddr *)address, sizeof(*address)) || listen(fd, 1))
		return -errno;
	puts("listening");
	fflush(stdout);
	if (poll(&wait, 1, o->accept_ms ? o->accept_ms : -1) != 1)
		return -ETIMEDOUT;
	client = accept(fd, NULL, NULL);
	if (client < 0)
		return -errno;
	unlink(o->listen_path);
	close(fd);
	return client;
}

int options_connect(const struct options *o)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = o->listen_path ? o->listen_path : o->connect_path;
	int size = o->socket_buffer_kib * 1024;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (o->listen_path) {
		fd = accept_one(o, fd, &address);
		if (fd < 0)
			return fd;
	} else if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		return -errno;
	}
	/* Smaller is slower, not wrong: the limit of the host counts. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	return fd;
}
