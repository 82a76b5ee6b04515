/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists as the table of watched network namespaces that the loader writes and every call reads.
 *
 * Inode numbers of namespaces are given out one after the other, so `number % sets` spreads them.
 */
#ifndef FIXPOINT_WATCH_H
#define FIXPOINT_WATCH_H

#define WATCH_SETS 2048
#define WATCH_WAYS 4

struct watch {
	unsigned int netns; /* 0: empty */
	unsigned int id;
};

#endif
