/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists so that kernel, loader and server agree on every byte they exchange.
 *
 * The stream to the server is the ring buffer's own memory, unchanged: records of
 *     u32 size; u32 ignored; struct fixpoint_event; body; padding to 8 bytes
 * where `size` counts from the event on, without padding, and its top two bits are the ring
 * buffer's (a record with FIXPOINT_DISCARDED is to be skipped). What the loader itself has to
 * say comes in the same frame, between two records. Little endian, fixed layout;
 * src/record/sensor/layout.ts mirrors it and layout.test.ts compares the two.
 */
#ifndef FIXPOINT_EVENT_H
#define FIXPOINT_EVENT_H

#define FIXPOINT_MAGIC 0xF1
#define FIXPOINT_VERSION 1
#define FIXPOINT_CHUNK_BYTES 16384
#define FIXPOINT_COMMAND_BYTES 16
#define FIXPOINT_DISCARDED 0x40000000u
#define FIXPOINT_SIZE_MASK 0x3fffffffu

enum fixpoint_kind {
	FIXPOINT_OPEN = 1,
	FIXPOINT_DATA,
	FIXPOINT_CLOSE,
	FIXPOINT_SHUTDOWN,
	FIXPOINT_UPGRADE,
	FIXPOINT_FORK,
	FIXPOINT_EXEC,
	FIXPOINT_EXIT,
	FIXPOINT_OPAQUE,
	FIXPOINT_HELLO,
	FIXPOINT_ANSWER,
	FIXPOINT_STATS,
};

enum fixpoint_direction { FIXPOINT_SENT = 0, FIXPOINT_RECEIVED = 1, FIXPOINT_BOTH = 2 };
enum fixpoint_role { FIXPOINT_ROLE_UNKNOWN = 0, FIXPOINT_INBOUND, FIXPOINT_OUTBOUND };
enum fixpoint_transport { FIXPOINT_TCP = 0, FIXPOINT_UDP };

enum fixpoint_missing {
	FIXPOINT_WHOLE = 0,
	FIXPOINT_FILE,
	FIXPOINT_UNREADABLE,
	FIXPOINT_TRUNCATED,
	FIXPOINT_UNREAD,
};

enum fixpoint_flags {
	FIXPOINT_FIRST = 1,         /* data: first event of a system call or datagram */
	FIXPOINT_LAST = 2,          /* data: last one */
	FIXPOINT_PEER = 4,          /* data: a struct fixpoint_address stands before the payload */
	FIXPOINT_BEFORE_ATTACH = 8, /* open: bytes may have passed unseen before */
	FIXPOINT_CORE_DUMPED = 16,  /* exit */
};

enum fixpoint_opaque { FIXPOINT_IO_URING = 0, FIXPOINT_COMPAT32 };

enum fixpoint_drop {
	FIXPOINT_DROP_RING_FULL = 0,
	FIXPOINT_DROP_TABLE_FULL,
	FIXPOINT_DROP_UNREADABLE,
	FIXPOINT_DROP_URGENT,
	FIXPOINT_DROPS,
};

enum fixpoint_control_kind { FIXPOINT_WATCH = 1, FIXPOINT_UNWATCH, FIXPOINT_PING };

/* Every message begins with this. */
struct fixpoint_event {
	unsigned char magic;
	unsigned char version;
	unsigned char kind;
	unsigned char direction;
	unsigned int watch;
	unsigned long long time_ns; /* CLOCK_MONOTONIC */
	unsigned long long connection;
	unsigned long long position; /* data: of the first byte; fork: child's tgid */
	unsigned int tgid;
	unsigned int tid;
	unsigned int length_bytes; /* data: true length */
	unsigned int copied_bytes; /* data: how many follow */
	unsigned char flags;
	unsigned char missing;
	unsigned short number; /* open, close, answer: errno; exit: wait status; opaque: reason */
	unsigned int sequence; /* answer: of the question */
};

struct fixpoint_address {
	unsigned short family; /* 4, 6 or 0 for none */
	unsigned short port;   /* host byte order */
	unsigned int scope;
	unsigned char bytes[16];
};

struct fixpoint_open {
	unsigned char transport;
	unsigned char role;
	unsigned char padding[6];
	struct fixpoint_address local;
	struct fixpoint_address peer;
};

struct fixpoint_close {
	unsigned long long sent_bytes;
	unsigned long long received_bytes;
	unsigned long long sent_unseen_bytes;
	unsigned long long received_unseen_bytes;
};

/* Body of fork, exec, exit (the command) and upgrade (the protocol's name). */
struct fixpoint_name {
	char name[FIXPOINT_COMMAND_BYTES];
};

/* Body of hello; `features` is a list of words separated by spaces, padded with zeros. */
struct fixpoint_hello {
	long long wall_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	unsigned long long ring_bytes;
	char features[112];
};

struct fixpoint_count {
	unsigned long long events;
	unsigned long long bytes;
};

struct fixpoint_stats {
	struct fixpoint_count sent; /* into the ring */
	struct fixpoint_count drops[FIXPOINT_DROPS];
};

/* From the server to the sensor. */
struct fixpoint_control {
	unsigned int kind;
	unsigned int sequence;
	unsigned int netns;
	unsigned int watch;
};

#endif
