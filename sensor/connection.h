/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that the loader can tell the end of connections whose close found the ring full.
 */
#ifndef FIXPOINT_CONNECTION_H
#define FIXPOINT_CONNECTION_H

enum connection_flags {
	CONNECTION_TOLD = 1,          /* its open event is in the ring */
	CONNECTION_BEFORE_ATTACH = 2, /* existed before we saw it */
	CONNECTION_BASE_SENT = 4,     /* base[] is the kernel's sequence number at position 0 */
	CONNECTION_BASE_RECEIVED = 8,
	CONNECTION_FINAL = 16,        /* final[] holds the numbers when TCP was done with it */
};

struct connection {
	unsigned long long key;
	unsigned long long id;
	unsigned long long inode; /* of sockfs: tells a socket from the next one at its address */
	unsigned long long position[2];
	unsigned long long unseen[2];
	unsigned int base[2];
	unsigned int final[2];
	unsigned int watch;
	unsigned short error;
	unsigned char transport;
	unsigned char role;
	unsigned int flags;
	unsigned int padding;
};

#endif
