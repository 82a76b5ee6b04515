/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists to move the ring's memory to the server's socket without a copy in between.
 *
 * The ring is the only buffer: when the server reads slowly it fills, and the kernel side drops
 * with a declared count. The app is never slowed, and this process never grows.
 */
#ifndef FIXPOINT_STREAM_H
#define FIXPOINT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STREAM_NOTES_BYTES (256 * 1024)

/* A frame of the loader's own, to be sent when the ring is sent up to `after`. */
struct stream_note {
	uint64_t after;
	uint32_t size; /* of the frame that follows, prefix and padding included */
	uint32_t padding;
};

struct stream {
	int socket;
	uint64_t ring_bytes;
	volatile uint64_t *consumer;
	volatile uint64_t *producer;
	uint8_t *data;
	uint64_t sent;    /* position in the ring, any byte */
	uint64_t walked;  /* position in the ring, a record's border: whole records end here */
	uint8_t notes[STREAM_NOTES_BYTES];
	size_t notes_first, notes_end;
	uint32_t note_sent; /* bytes of the first note that are sent already */
	bool is_blocked;  /* the socket takes no more for now */
};

enum stream_result { STREAM_IDLE, STREAM_SENT, STREAM_BLOCKED, STREAM_GONE };

/* 0 or -errno. */
int stream_open(struct stream *s, int ring_fd, uint64_t ring_bytes, int socket);
/* Puts a frame behind everything that is in the ring now. False if there is no room. */
bool stream_note(struct stream *s, const void *event, uint32_t size);
size_t stream_room(const struct stream *s);
/* Sends as much as the socket takes. */
enum stream_result stream_send(struct stream *s);
bool stream_is_empty(const struct stream *s);

#endif
