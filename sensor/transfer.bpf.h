/* SPDX-License-Identifier: (GPL-2.0 OR BSD-2-Clause)
 *
 * Exists to turn what one system call moved into data events, whole, however long it was.
 *
 * Bytes are taken when the call returns, for writes too: only then is it known how many the kernel
 * accepted. A thread that changes the buffer of another thread's running write is therefore
 * recorded with the new bytes; such a program does not know what it sends either.
 */
#ifndef FIXPOINT_TRANSFER_BPF_H
#define FIXPOINT_TRANSFER_BPF_H

#define IOV_MAX 1024
#define MESSAGES_MAX 1024
#define STEPS_MAX (1 << 20)

/* Where the bytes are in the app's memory, and how far we are. */
struct transfer {
	__u64 iov;       /* the next struct iovec to read, 0 for a single buffer */
	__u64 iov_left;  /* how many of them */
	__u64 base;      /* the current buffer */
	__u64 base_left;
	__u64 left;      /* bytes still to be taken */
	__u64 position;
	__u32 filled;    /* bytes in the scratch buffer */
	__u32 head;      /* where the payload begins in the scratch buffer */
	__u32 tail_bytes; /* bytes after these that are known to be missing, and why */
	__u8 tail_missing;
	__u8 first;
};

/* In a map, not on the stack: the verifier follows stack values through every turn of a loop. */
struct scratch {
	struct transfer transfer;
	struct fixpoint_event event;
	struct fixpoint_address peer;
	__u8 payload[2 * FIXPOINT_CHUNK_BYTES]; /* twice, so that the verifier sees every sum fit */
};

/* By CPU number: the kernel's per-CPU maps hold no values as large. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader sets the number of CPUs */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *scratch_here(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	return bpf_map_lookup_elem(&scratches, &cpu);
}

/* Not static: the verifier then looks at it once, not for every way to get here. */
__noinline int send_chunk(__u64 length, __u32 missing)
{
	struct scratch *s = scratch_here();
	struct fixpoint_event *event;
	struct transfer *t;
	__u32 copied;
	__u64 size;
	if (!s)
		return 0;
	event = &s->event;
	t = &s->transfer;
	copied = t->filled;
	if (copied > FIXPOINT_CHUNK_BYTES)
		return 0;
	event->position = t->position;
	event->length_bytes = length;
	event->copied_bytes = copied;
	event->missing = missing;
	event->flags = (t->first ? FIXPOINT_FIRST : 0) |
		       (t->left || t->tail_bytes ? 0 : FIXPOINT_LAST) |
		       (t->head == sizeof(*event) ? 0 : FIXPOINT_PEER);
	size = (t->head == sizeof(*event) ? sizeof(*event) : sizeof(*event) + sizeof(s->peer)) +
	       copied;
	output(event, size, ring_reserve_bytes, length);
	t->position += length;
	t->filled = 0;
	t->first = 0;
	return 0;
}

struct full_chunk {
	struct fixpoint_event event;
	__u8 payload[FIXPOINT_CHUNK_BYTES];
};

/* A whole chunk out of one buffer goes into the ring without the detour: half of the copying of a
 * large body. False if the app's memory could not be read. */
static __always_inline bool send_full_chunk(struct scratch *s, struct transfer *t)
{
	struct full_chunk *chunk;
	__u64 flags;
	if (!has_room(sizeof(*chunk), ring_reserve_bytes, &flags))
		goto full;
	chunk = bpf_ringbuf_reserve(&ring, sizeof(*chunk), 0);
	if (!chunk)
		goto full;
	if (bpf_probe_read_user(chunk->payload, FIXPOINT_CHUNK_BYTES, (void *)t->base)) {
		bpf_ringbuf_discard(chunk, flags);
		return false;
	}
	chunk->event = s->event;
	chunk->event.position = t->position;
	chunk->event.length_bytes = FIXPOINT_CHUNK_BYTES;
	chunk->event.copied_bytes = FIXPOINT_CHUNK_BYTES;
	chunk->event.missing = FIXPOINT_WHOLE;
	chunk->event.flags = t->first ? FIXPOINT_FIRST : 0;
	bpf_ringbuf_submit(chunk, flags);
	count_sent(FIXPOINT_CHUNK_BYTES);
	goto done;
full:
	count_drop(FIXPOINT_DROP_RING_FULL, FIXPOINT_CHUNK_BYTES);
done:
	t->position += FIXPOINT_CHUNK_BYTES;
	t->first = 0;
	return true;
}

static long copy_step(__u32 step, void *context)
{
	struct scratch *s = scratch_here();
	struct transfer *t;
	__u32 filled, head;
	__u64 n;
	if (!s)
		return 1;
	t = &s->transfer;
	filled = t->filled;
	head = t->head;
	n = t->base_left;
	if (!t->left || filled >= FIXPOINT_CHUNK_BYTES)
		return 1;
	if (!n) {
		struct user_iovec next;
		if (!t->iov_left)
			return 1;
		if (bpf_probe_read_user(&next, sizeof(next), (void *)t->iov))
			return 1;
		t->iov += sizeof(next);
		t->iov_left--;
		t->base = next.base;
		t->base_left = next.length_bytes;
		return 0;
	}
	if (n > t->left)
		n = t->left;
	if (n > FIXPOINT_CHUNK_BYTES - filled)
		n = FIXPOINT_CHUNK_BYTES - filled;
	if (head > sizeof(s->event) + sizeof(s->peer))
		return 1;
	barrier_var(n);
	if (n > FIXPOINT_CHUNK_BYTES)
		return 1;
	/* The last chunk goes the other way, which knows how to end. */
	if (n == FIXPOINT_CHUNK_BYTES && t->left > n && head == sizeof(s->event) &&
	    send_full_chunk(s, t)) {
		t->left -= n;
		t->base += n;
		t->base_left -= n;
		return 0;
	}
	if (bpf_probe_read_user((__u8 *)&s->event + head + filled, n, (void *)t->base)) {
		if (filled)
			send_chunk(filled, FIXPOINT_WHOLE);
		t->left -= n;
		count_drop(FIXPOINT_DROP_UNREADABLE, n);
		send_chunk(n, FIXPOINT_UNREADABLE);
	} else {
		t->left -= n;
		t->filled = filled + n;
		if (t->filled == FIXPOINT_CHUNK_BYTES || (!t->left && !t->tail_bytes))
			send_chunk(t->filled, t->left ? FIXPOINT_WHOLE : t->tail_missing);
	}
	t->base += n;
	t->base_left -= n;
	return !t->left;
}

/* The buffers of a transfer as the app described them. */
static __always_inline void from_buffer(struct transfer *t, __u64 base, __u64 length)
{
	t->base = base;
	t->base_left = length;
}

static __always_inline void from_iovec(struct transfer *t, __u64 iov, __u64 count)
{
	t->iov = iov;
	t->iov_left = count > IOV_MAX ? IOV_MAX : count;
}

/* Takes t->left bytes; what could not be found in the app's memory is sent as missing. */
static __always_inline void run_transfer(struct transfer *t)
{
	if (t->iov || t->left > FIXPOINT_CHUNK_BYTES)
		bpf_loop(STEPS_MAX, copy_step, NULL, 0);
	else if (t->left)
		copy_step(0, NULL);
	if (t->left && t->tail_missing == FIXPOINT_TRUNCATED) {
		t->tail_bytes += t->left; /* the true length of a datagram, beyond all buffers */
		t->left = 0;
	} else if (t->left) { /* the list of buffers was changed or is unreadable */
		__u64 lost = t->left;
		if (t->filled)
			send_chunk(t->filled, FIXPOINT_WHOLE);
		t->left = 0;
		count_drop(FIXPOINT_DROP_UNREADABLE, lost);
		send_chunk(lost, FIXPOINT_UNREADABLE);
	}
	if (t->tail_bytes) {
		__u32 tail = t->tail_bytes + t->filled;
		t->tail_bytes = 0;
		send_chunk(tail, t->tail_missing);
	}
	if (t->first) /* an empty datagram */
		send_chunk(0, t->tail_missing);
}

#endif
