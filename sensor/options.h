/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that every limit of the sensor can be set and has one default, here.
 */
#ifndef FIXPOINT_OPTIONS_H
#define FIXPOINT_OPTIONS_H

#include <stdbool.h>

struct options {
	const char *listen_path;
	const char *connect_path;
	int ring_mib;
	int drain_ms;
	int stats_ms;
	int accept_ms;
	int connections_max;
	int socket_buffer_kib;
	bool is_probe;
};

/* False, after saying why, if the arguments are wrong or ask for help. */
bool options_parse(struct options *options, int argc, char **argv);
/* The socket of the server (non-blocking), or -errno. */
int options_connect(const struct options *options);

#endif
