// SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
/* Exists to move the ring's memory to the server's socket without a copy in between. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/bpf.h>
#include "event.h"
#include "stream.h"

#define WRITE_BYTES_MAX (1 << 20) /* so that the ring is given back in steps */
#define PREFIX_BYTES 8

static uint32_t padded(uint32_t size)
{
	return (size + 7) & ~7u;
}

int stream_open(struct stream *s, int ring_fd, uint64_t ring_bytes, int socket)
{
	size_t page = sysconf(_SC_PAGESIZE);
	void *map;
	memset(s, 0, sizeof(*s));
	s->socket = socket;
	s->ring_bytes = ring_bytes;
	map = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, ring_fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	s->consumer = map;
	/* Once, although the kernel offers it twice in a row so that no record wraps: we send bytes
	 * and read only prefixes, which are aligned and so never wrap. */
	map = mmap(NULL, page + ring_bytes, PROT_READ, MAP_SHARED, ring_fd, page);
	if (map == MAP_FAILED)
		return -errno;
	s->producer = map;
	s->data = (uint8_t *)map + page;
	s->sent = s->walked = *s->consumer;
	return 0;
}

/* The end of the whole records: stops at one that is reserved and not yet written. */
static uint64_t walk(struct stream *s)
{
	uint64_t end = __atomic_load_n(s->producer, __ATOMIC_ACQUIRE);
	while (s->walked < end) {
		uint32_t *at = (uint32_t *)(s->data + (s->walked & (s->ring_bytes - 1)));
		uint32_t size = __atomic_load_n(at, __ATOMIC_ACQUIRE);
		if (size & BPF_RINGBUF_BUSY_BIT)
			break;
		s->walked += PREFIX_BYTES + padded(size & FIXPOINT_SIZE_MASK);
	}
	return s->walked;
}

size_t stream_room(const struct stream *s)
{
	size_t used = s->notes_end - s->notes_first;
	return sizeof(s->notes) - used;
}

bool stream_note(struct stream *s, const void *event, uint32_t size)
{
	struct stream_note note = { .after = __atomic_load_n(s->producer, __ATOMIC_ACQUIRE) };
	uint32_t prefix[2] = { size, 0 };
	uint8_t *at;
	note.size = PREFIX_BYTES + padded(size);
	if (stream_room(s) < sizeof(note) + note.size)
		return false;
	if (sizeof(s->notes) - s->notes_end < sizeof(note) + note.size) {
		memmove(s->notes, s->notes + s->notes_first, s->notes_end - s->notes_first);
		s->notes_end -= s->notes_first;
		s->notes_first = 0;
	}
	at = s->notes + s->notes_end;
	memset(at, 0, sizeof(note) + note.size);
	memcpy(at, &note, sizeof(note));
	memcpy(at + sizeof(note), prefix, sizeof(prefix));
	memcpy(at + sizeof(note) + sizeof(prefix), event, size);
	s->notes_end += sizeof(note) + note.size;
	return true;
}

static ssize_t put(struct stream *s, const void *bytes, size_t size)
{
	ssize_t n;
	do
		n = send(s->socket, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t put_note(struct stream *s, const struct stream_note *note, const uint8_t *frame)
{
	ssize_t n = put(s, frame + s->note_sent, note->size - s->note_sent);
	if (n < 0)
		return n;
	s->note_sent += n;
	if (s->note_sent == note->size) {
		s->note_sent = 0;
		s->notes_first += sizeof(*note) + note->size;
		if (s->notes_first == s->notes_end)
			s->notes_first = s->notes_end = 0;
	}
	return n;
}

static ssize_t put_ring(struct stream *s, uint64_t end)
{
	uint64_t at = s->sent & (s->ring_bytes - 1);
	uint64_t size = end - s->sent;
	ssize_t n;
	if (size > WRITE_BYTES_MAX)
		size = WRITE_BYTES_MAX;
	if (size > s->ring_bytes - at)
		size = s->ring_bytes - at;
	n = put(s, s->data + at, size);
	if (n < 0)
		return n;
	s->sent += n;
	/* Records are multiples of 8 bytes, and so is the kernel's arithmetic. */
	__atomic_store_n(s->consumer, s->sent & ~7ull, __ATOMIC_RELEASE);
	return n;
}

enum stream_result stream_send(struct stream *s)
{
	enum stream_result result = STREAM_IDLE;
	uint64_t end = walk(s);
	s->is_blocked = false;
	for (;;) {
		struct stream_note note = { .after = UINT64_MAX };
		ssize_t n;
		if (s->notes_first < s->notes_end)
			memcpy(&note, s->notes + s->notes_first, sizeof(note));
		if (note.after <= s->sent)
			n = put_note(s, &note, s->notes + s->notes_first + sizeof(note));
		else if (s->sent < end)
			n = put_ring(s, end < note.after ? end : note.after);
		else
			return result;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			s->is_blocked = true;
			return STREAM_BLOCKED;
		}
		if (n < 0)
			return STREAM_GONE;
		result = STREAM_SENT;
	}
}

bool stream_is_empty(const struct stream *s)
{
	return s->sent == __atomic_load_n(s->producer, __ATOMIC_ACQUIRE) &&
	       s->notes_first == s->notes_end;
}
